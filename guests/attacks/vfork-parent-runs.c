/* Tries to run beside a child in one memory, where the supervisor believes that only one of us runs: the child signals
 * its held parent in every way that wakes a task (a handler, SIGCONT, SIGALRM from its timer), and looks whether the
 * parent moved. Natively a child without CLONE_VFORK shows the parent moving. Here the parent is held until the child
 * has ended or executed a program.
 * class: 55
 * contained: errno
 * ways: 1
 * build: musl */
#include <sys/time.h>

#include "lib/tasks.h"

static long parent;
static volatile int parent_moved, child_ended;

static void on_signal(int number)
{
    (void)number;
    if (!child_ended)
        parent_moved = 1;
}

static long wake_parent(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++) {
        raw(SYS_kill, parent, SIGUSR1);
        raw(SYS_kill, parent, SIGCONT);
        raw(SYS_kill, parent, SIGALRM);
        linger(50);
    }
    if (natively)
        doze(200);
    child_ended = 1;
    leave(0);
}

int main(int argc, char **argv)
{
    static _Alignas(16) char stack[ATTACK_STACK];
    struct itimerval soon = {.it_value.tv_usec = 1000, .it_interval.tv_usec = 1000};
    long flags, pid;

    attack_start(argc, argv);
    attempt("a parent beside its child");
    parent = raw(SYS_getpid);
    signal(SIGUSR1, on_signal);
    signal(SIGALRM, on_signal);
    raw(SYS_setitimer, ITIMER_REAL, &soon, NULL);
    flags = CLONE_VM | SIGCHLD | (natively ? 0 : CLONE_VFORK);
    pid = guest_clone(wake_parent, NULL, (unsigned long)flags, stack + ATTACK_STACK, NULL, NULL, NULL);
    if (pid < 0)
        contained("no second task: clone(0x4111): errno %ld", -pid);
    if (!child_ended)
        parent_moved = 1;
    wait_for(pid);
    if (parent_moved)
        escaped("the parent ran beside its child in one memory");
    contained("the parent did not run while its child did");
}
