/* A process whose memory its tracer may not read: PR_SET_DUMPABLE, and the exec of a file that may be run but not
 * read, both of which make it undumpable (prctl(2), ptrace(2)), with PR_SET_PTRACER beside them. A supervisor that
 * allows what it cannot read lets everything through. Natively the victim is reached from such a process. Here
 * PR_SET_DUMPABLE is refused, and a call whose memory cannot be read is.
 * class: 90
 * contained: errno killed
 * build: musl */
#include <sys/prctl.h>

#include "lib/files.h"

static char copy[PATH_SIZE];

static int copy_unreadable(void)
{
    static char bytes[65536];
    long from = open_path(own_path(), O_RDONLY), to, got;

    in_work(copy, "undumpable-copy");
    raw(SYS_unlink, copy);
    to = open_path(copy, O_WRONLY | O_CREAT);
    while ((got = raw(SYS_read, from, bytes, sizeof bytes)) > 0)
        raw(SYS_write, to, bytes, got);
    raw(SYS_close, from);
    raw(SYS_close, to);
    return to >= 0 && raw(SYS_chmod, copy, 0111) == 0;
}

static void actions(const char *what)
{
    char *nothing[] = {NULL};

    way(reaches_victim(), what);
    way(path_tells(secret()), what);
    raw(SYS_execve, secret(), nothing, nothing);
    raw(SYS_execve, "/nonexistent/program", nothing, nothing);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    if (same_text(stage(argc, argv), "unreadable")) {
        raw(SYS_unlink, own_path());
        actions("from a program that cannot be read");
        ways_end("an undumpable process");
    }
    raw(SYS_prctl, PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    raw(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    actions("after PR_SET_DUMPABLE");
    if (copy_unreadable())
        exec_stage_from(copy, "unreadable");
    ways_end("an undumpable process");
}
