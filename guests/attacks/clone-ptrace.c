/* CLONE_PTRACE puts the child under the caller's tracer whatever that asked for, as a stranger the tracer knows nothing
 * of, without its options. Natively the flag is accepted. Here every policy refuses it.
 * class: 47
 * contained: errno
 * ways: 3
 * build: musl */
#include "lib/tasks.h"

static long quit(void *unused)
{
    (void)unused;
    leave(0);
}

int main(int argc, char **argv)
{
    static _Alignas(16) char stack[ATTACK_STACK];
    long pid;

    attack_start(argc, argv);
    unless_refused(guest_clone(quit, NULL, CLONE_PTRACE | CLONE_VM | CLONE_VFORK | SIGCHLD, stack + ATTACK_STACK, NULL,
                               NULL, NULL), "clone(CLONE_PTRACE|0x4111)");
    unless_refused(guest_clone(quit, NULL, CLONE_PTRACE | CLONE_UNTRACED | CLONE_VM | CLONE_VFORK | SIGCHLD,
                               stack + ATTACK_STACK, NULL, NULL, NULL), "clone(CLONE_PTRACE|CLONE_UNTRACED|0x4111)");
    pid = raw(SYS_clone, CLONE_PTRACE | SIGCHLD);
    if (pid == 0)
        leave(0);
    judge(pid, "clone(CLONE_PTRACE|SIGCHLD)");
}
