/* Looks for traces of the supervisor in the registers after a spawn, on both sides: it takes CLONE_VFORK from the
 * flags, and must put back what it took. Under the kernel alone nothing but rax,
 * rcx and r11 changes, and, in the child, rsp; and so it must be here.
 * class: 54
 * contained: errno
 * ways: 1
 * build: musl
 * with: lib/registers.S */
#include "lib/registers.h"
#include "lib/tasks.h"

static _Alignas(16) char stack[ATTACK_STACK];
static struct registers call, parent_saw;
static volatile unsigned long child_differs;

static void child(struct registers *saw)
{
    if (saw->rax || saw->rdi != call.rdi || saw->rsi != call.rsi || saw->rdx != call.rdx || saw->r8 != call.r8 ||
        saw->r9 != call.r9 || saw->r10 != call.r10)
        child_differs = saw->rdi | 1UL << 63;
    leave(0);
}

int main(int argc, char **argv)
{
    long pid;

    attack_start(argc, argv);
    attempt("registers after a spawn");
    for (int i = 0; i < 20; i++) {
        fill_registers(&call);
        call.rax = SYS_clone;
        call.rdi = CLONE_VM | CLONE_VFORK | SIGCHLD;
        call.rsi = (unsigned long)(stack + ATTACK_STACK);
        pid = call_with_registers(&call, &parent_saw, child);
        if (pid < 0)
            contained("no second task: clone(0x4111): errno %ld", -pid);
        if (child_differs || parent_saw.rdi != call.rdi || parent_saw.rsi != call.rsi || parent_saw.r9 != call.r9)
            escaped("registers after clone show the supervisor: rdi %lx, in the child %lx", parent_saw.rdi,
                    child_differs);
        wait_for(pid);
    }
    same("registers after clone are as the kernel leaves them");
}
