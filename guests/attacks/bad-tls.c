/* A thread pointer outside the address space, by clone(CLONE_SETTLS) and by arch_prctl: the kernel refuses it with
 * EPERM, and a supervisor that writes registers back must not put it there. As only the kernel's own check is tried,
 * natively there is nothing to show.
 * class: 53
 * contained: errno
 * ways: 3
 * build: musl */
#include <asm/prctl.h>

#include "lib/tasks.h"

static long quit(void *unused)
{
    (void)unused;
    leave(0);
}

int main(int argc, char **argv)
{
    static const unsigned long pointers[] = {0x8000000000000000, 0xffffffff81000000, (unsigned long)-1, 1UL << 47};
    static _Alignas(16) char stack[ATTACK_STACK];

    attack_start(argc, argv);
    for (unsigned i = 0; i < sizeof pointers / sizeof *pointers; i++) {
        void *pointer = (void *)pointers[i];

        unless_refused(guest_clone(quit, NULL, CLONE_VM | CLONE_VFORK | CLONE_SETTLS | SIGCHLD, stack + ATTACK_STACK,
                                   NULL, pointer, NULL), "clone(CLONE_SETTLS) outside the address space");
        unless_refused(raw(SYS_arch_prctl, ARCH_SET_FS, pointer), "arch_prctl(ARCH_SET_FS)");
        unless_refused(raw(SYS_arch_prctl, ARCH_SET_GS, pointer), "arch_prctl(ARCH_SET_GS)");
    }
    expect_supervised();
    cannot("no thread pointer outside the address space");
}
