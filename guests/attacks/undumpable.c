/* A process whose memory its tracer may not read: PR_SET_DUMPABLE, and the exec of a file that may be run but not
 * read, both of which make it undumpable (prctl(2), ptrace(2)), with PR_SET_PTRACER beside them; and such a file that
 * can still be read while the exec is judged, since another process changes its mode all the time. A supervisor that
 * allows what it cannot read lets everything through. Natively the victim is reached from such a process. Here
 * PR_SET_DUMPABLE and the exec are refused, and a call whose memory cannot be read is.
 * class: 90
 * contained: errno killed
 * ways: 3
 * build: musl */
#include <sys/prctl.h>

#include "lib/files.h"

enum { RACES = 60 };

static char copy[PATH_SIZE];

static int actions(void)
{
    char *nothing[] = {NULL};
    int reached = reaches_victim() || path_tells(secret());

    raw(SYS_execve, secret(), nothing, nothing);
    raw(SYS_execve, "/nonexistent/program", nothing, nothing);
    return reached;
}

static long exec_copy(void *unused)
{
    (void)unused;
    leave((int)-exec_stage_from(copy, "unreadable"));
}

static _Noreturn void keep_changing_mode(void)
{
    in_work(copy, "undumpable-copy");
    for (;;) {
        raw(SYS_chmod, copy, 0111);
        linger(5);
        raw(SYS_chmod, copy, 0755);
        linger(5);
    }
}

static int won_by_race(void)
{
    long changer = spawn_stage("changes");
    int through = 0;

    for (int i = 0; changer > 0 && i < RACES; i++)
        through += exited_with(wait_for(spawn_child(exec_copy, NULL)), GOT_THROUGH);
    if (changer > 0)
        raw(SYS_kill, changer, SIGKILL);
    wait_for(changer);
    return through > 0;
}

int main(int argc, char **argv)
{
    const char *now = stage(argc, argv);
    int made;

    attack_start(argc, argv);
    if (same_text(now, "changes"))
        keep_changing_mode();
    if (same_text(now, "unreadable"))
        leave(actions() ? GOT_THROUGH : 0);
    raw(SYS_prctl, PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    raw(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    way(actions(), "after PR_SET_DUMPABLE");
    made = copy_self(in_work(copy, "undumpable-copy")) && raw(SYS_chmod, copy, 0111) == 0;
    way(made && exited_with(wait_for(spawn_child(exec_copy, NULL)), GOT_THROUGH), "from a program that cannot be read");
    way(made && won_by_race(), "from a program that could be read a moment before");
    raw(SYS_unlink, copy);
    ways_end("an undumpable process");
}
