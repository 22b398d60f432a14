/* A 32-bit system call by SYSENTER from 64-bit code. The kernel takes it, and goes on at a 32-bit landing pad that a
 * 64-bit process does not have: SIGSEGV, with the call's answer in eax. Natively that is our pid (on an AMD processor
 * the instruction is illegal in 64-bit mode). Here the filter kills whatever is not of the x86-64 ABI.
 * class: 3
 * contained: killed
 * ways: 1
 * build: musl */
#include <ucontext.h>

#include "lib/i386.h"

static void on_signal(int number, siginfo_t *info, void *context)
{
    long rax = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX];

    (void)info;
    if (number == SIGILL)
        cannot("this processor has no SYSENTER in 64-bit mode");
    if ((int)rax == raw(SYS_getpid))
        escaped("SYSENTER: i386 getpid answered %ld", rax);
    cannot("SYSENTER: signal %d, eax %d", number, (int)rax);
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    unsigned long stack;

    attack_start(argc, argv);
    attempt("i386 getpid by SYSENTER");
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    /* The kernel reads the sixth argument through ebp, and makes ebp the stack pointer. */
    stack = (unsigned long)low_memory(ATTACK_STACK, PROT_READ | PROT_WRITE) + ATTACK_STACK - 256;
    __asm__ volatile("mov %0, %%rbp\n\tmov %0, %%rsp\n\tsysenter"
                     :
                     : "r"(stack), "a"((long)I386_GETPID), "b"(0L), "c"(0L), "d"(0L), "S"(0L), "D"(0L)
                     : "memory");
    __builtin_unreachable();
}
