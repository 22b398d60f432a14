/* clone3 in every size of its structure, with flags nobody knows, as plain clone, and into another cgroup; and a spawn
 * right after the refusal, which once hung a tracer. Natively a child is made. No policy lets clone3 run.
 * class: 49
 * contained: errno
 * ways: 2
 * build: musl */
#include <linux/sched.h>

#include "lib/tasks.h"

static long quit(void *unused)
{
    (void)unused;
    leave(0);
}

int main(int argc, char **argv)
{
    static const unsigned short sizes[] = {64, 72, 80, 88, 96, 4096, 0, 65535};
    static const unsigned long flags[] = {0, CLONE_VM | CLONE_VFORK, 1UL << 40, 1UL << 63, CLONE_NEWUSER};
    static _Alignas(4096) unsigned char memory[8192];
    struct clone_args *args = (struct clone_args *)memory;
    long pid;

    attack_start(argc, argv);
    args->exit_signal = SIGCHLD;
    for (unsigned f = 0; f < sizeof flags / sizeof *flags; f++)
        for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            args->flags = flags[f];
            pid = raw(SYS_clone3, args, sizes[s]);
            if (pid == 0)
                raw(SYS_exit, 0);
            unless_refused(pid, "clone3");
        }
    unless_refused(raw(SYS_clone3, NULL, 64), "clone3 without arguments");
    pid = spawn_child(quit, NULL);
    if (pid > 0 && wait_for(pid))
        escaped("a child after the refusal did not end as it should");
    contained("no form of clone3");
}
