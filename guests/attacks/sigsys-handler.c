/* Blocks, then handles SIGSYS, and makes a call that the policy kills for: a handler that ran could put any answer into
 * rax and go on. Natively int 0x80 is answered. Here the kernel kills the process, whatever it does about signals.
 * class: 40
 * contained: killed
 * ways: 1
 * build: musl */
#include <ucontext.h>

#include "lib/i386.h"

static void on_sigsys(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = raw(SYS_getpid);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigset_t every;

    attack_start(argc, argv);
    sigfillset(&every);
    sigaction(SIGSYS, &action, NULL);
    sigprocmask(SIG_SETMASK, &every, NULL);
    judge(int80_or_cannot(I386_GETPID, 0, 0, 0), "int 0x80 under a SIGSYS handler");
}
