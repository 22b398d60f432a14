/* Children that announce their end by another signal than SIGCHLD (0x4100, 0x4101, 0x4110): a supervisor
 * that takes what is like a spawn for one is confused; and the kernel reports them by another event. Natively they are
 * made. Here only 0x4111 is accepted, or, where any clone is, they are supervised like all children.
 * class: 51
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/tasks.h"

static long report(void *unused)
{
    (void)unused;
    leave((int)supervision());
}

static void judge_form(unsigned long flags)
{
    static _Alignas(16) char stack[ATTACK_STACK];
    long pid = guest_clone(report, NULL, flags, stack + ATTACK_STACK, NULL, NULL, NULL), status;

    if (pid < 0)
        return;
    status = wait_for(pid);
    if (status || natively)
        escaped("clone(%lx): made a child (wait status %lx)", flags, (unsigned long)status);
}

int main(int argc, char **argv)
{
    static const unsigned long forms[] = {0x4100, 0x4101, 0x4110, 0x4100 | SIGUSR1};

    attack_start(argc, argv);
    attempt("a child with another exit signal");
    for (int number = 1; number < 32; number++)
        signal(number, SIG_IGN);
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++)
        judge_form(forms[i]);
    expect_supervised();
    contained("no child with another exit signal that is not supervised");
}
