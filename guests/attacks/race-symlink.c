/* A symbolic link in the working directory points to a harmless file when a supervisor resolves it, and to the secret
 * when the kernel does: another process exchanges two links all the time. Natively one of the opens reads the secret.
 * Here no link can be made, or what may be opened is decided by Landlock, on the file and not on the name.
 * class: 27
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/race.h"

enum { NR_RENAMEAT2 = 316, EXCHANGE = 2 };

static char here[PATH_ROOM], there[PATH_ROOM];

static int exchange(void)
{
    long parent = raw(SYS_getppid);

    for (int i = 0; (i < 200000 || natively) && raw(SYS_getppid) == parent; i++)
        raw(NR_RENAMEAT2, AT_FDCWD, here, AT_FDCWD, there, EXCHANGE);
    return 0;
}

int main(int argc, char **argv)
{
    long made, pid;

    attack_start(argc, argv);
    strcpy(here, joined(work_dir(), "/here"));
    strcpy(there, joined(work_dir(), "/there"));
    if (has_word(argv, "exchange"))
        return exchange();
    attempt("a link exchanged under an open");
    made = raw(SYS_symlink, "/proc/self/stat", here);
    if (made < 0)
        contained("no symbolic link: errno %ld", -made);
    raw(SYS_symlink, secret(), there);
    pid = spawn_self_or_contained(argv, "exchange");
    race_opens(here);
    raw(SYS_kill, pid, SIGKILL);
    wait_for(pid);
    contained("no open of a link in motion read the secret");
}
