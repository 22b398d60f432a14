/* clone3 has its flags in memory: what a supervisor reads there is not what the kernel will read. Here they ask for an
 * untraced child from the start. Natively it is made. No policy lets clone3 run.
 * class: 25
 * contained: errno
 * ways: 1
 * build: musl */
#include <linux/sched.h>

#include "lib/tasks.h"

static volatile struct clone_args args;
static volatile int stop;

static long rewrite(void *unused)
{
    (void)unused;
    while (!stop) {
        args.flags = 0;
        args.flags = CLONE_UNTRACED;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static _Alignas(16) char stack[ATTACK_STACK];
    long pid = 0;

    attack_start(argc, argv);
    args.exit_signal = SIGCHLD;
    thread_on(stack, rewrite, NULL);
    args.flags = CLONE_UNTRACED;
    for (int i = 0; i < 20; i++) {
        pid = raw(SYS_clone3, &args, sizeof args);
        if (pid == 0)
            leave(0);
        if (pid > 0)
            wait_for(pid);
        unless_refused(pid, "clone3(CLONE_UNTRACED)");
    }
    stop = 1;
    judge(pid, "clone3(CLONE_UNTRACED)");
}
