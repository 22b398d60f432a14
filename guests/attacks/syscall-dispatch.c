/* Syscall User Dispatch: calls turn into SIGSYS of the program's own before any filter or tracer sees them, so what a
 * supervisor believes of the guest's calls is wrong. Natively it is switched on. Here prctl's option is refused, also
 * with high bits.
 * class: 41
 * contained: errno
 * ways: 2
 * build: musl */
#include "lib/attack.h"

enum { SET_DISPATCH = 59, DISPATCH_ON = 1 };

static volatile char selector;    /* 0: calls pass */

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    unless_refused(raw(SYS_prctl, SET_DISPATCH, DISPATCH_ON, 0, 0, &selector), "prctl(SET_SYSCALL_USER_DISPATCH)");
    unless_refused(raw(SYS_prctl, 1UL << 32 | SET_DISPATCH, DISPATCH_ON, 0, 0, &selector), "the same, with high bits");
    contained("no dispatch of the guest's own");
}
