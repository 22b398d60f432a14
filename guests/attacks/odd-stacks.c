/* Children with stacks that cannot be: none, the last address, an odd one, the kernel's half. They fault at their first
 * push, and a parent held for them must come free. Natively they are made and die. Here the refusal comes in the order
 * the rule says, and whoever is made is supervised and its parent released.
 * class: 52
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/tasks.h"

static const unsigned long stacks[] = {(unsigned long)-1, 1, 0x8000000000000000, 0xffffffff81000000, 0x123456789};

/* A child that touches its stack at once. */
static long faulting_child(unsigned long flags, unsigned long stack)
{
    register long r10 __asm__("r10") = 0;
    register long r8 __asm__("r8") = 0;
    long result;

    __asm__ volatile("syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\tpush %%rax\n\tmov $231, %%eax\n\tmov $5, %%edi\n\t"
                     "syscall\n1:"
                     : "=a"(result)
                     : "a"((long)SYS_clone), "D"(flags), "S"(stack), "d"(0L), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

int main(int argc, char **argv)
{
    int made = 0;

    attack_start(argc, argv);
    attempt("children with impossible stacks");
    for (unsigned i = 0; i < sizeof stacks / sizeof *stacks; i++) {
        long pid = faulting_child(CLONE_VM | CLONE_VFORK | SIGCHLD, stacks[i]), status;

        if (pid < 0)
            continue;
        made++;
        status = wait_for(pid);
        if (!WIFSIGNALED(status))
            escaped("a child with stack %lx ended with wait status %lx", stacks[i], (unsigned long)status);
    }
    expect_supervised();
    same("%d children with impossible stacks faulted, and the parent went on", made);
}
