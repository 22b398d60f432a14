/* fork and vfork by their own numbers, which a rule on clone does not see. Natively a child is made. Here both are
 * refused, or, where forking is allowed, the child is supervised.
 * class: 61
 * contained: errno
 * ways: 2
 * build: musl */
#include "lib/tasks.h"

static long vfork_report(void)
{
    long result;

    /* The child must not return into this frame. */
    __asm__ volatile("syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\txor %%edi, %%edi\n\tmov $60, %%eax\n\tsyscall\n1:"
                     : "=a"(result)
                     : "a"((long)SYS_vfork)
                     : "rcx", "r11", "rdi", "memory");
    return result;
}

int main(int argc, char **argv)
{
    long forked, pid;

    attack_start(argc, argv);
    attempt("vfork");
    pid = vfork_report();
    if (pid > 0 && wait_for(pid))
        escaped("vfork: the child broke");
    if (pid > 0 && !natively)
        way_is_refused("made a child, which has ended well");
    else
        answered_by_call(pid);
    forked = raw(SYS_fork);
    if (forked == 0)
        leave((int)supervision());
    if (forked < 0 && pid > 0 && !natively)
        escaped("fork is refused, and vfork answered %ld", pid);
    judge_child(forked, "fork");
}
