/* Threads, with the flags of C libraries, with fewer, and with CLONE_PARENT as assembly programs have it. Natively they
 * run. Here they are refused, or, where threads are allowed, each is supervised.
 * class: 62
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/tasks.h"

enum { SHARED = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND };

static volatile int done, broken;

static long report(void *unused)
{
    (void)unused;
    broken |= (int)supervision();
    done = 1;
    return 0;
}

int main(int argc, char **argv)
{
    static const unsigned long forms[] = {
        SHARED | CLONE_THREAD | CLONE_SYSVSEM, SHARED | CLONE_THREAD | CLONE_SYSVSEM | CLONE_DETACHED,
        CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, SHARED | CLONE_THREAD | CLONE_PARENT | CLONE_IO,
        SHARED | CLONE_THREAD | CLONE_VFORK,
    };
    static _Alignas(16) char stacks[sizeof forms / sizeof *forms][ATTACK_STACK];
    int made = 0;

    attack_start(argc, argv);
    attempt("threads in several forms");
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        done = 0;
        if (guest_clone(report, NULL, forms[i], stacks[i] + ATTACK_STACK, NULL, NULL, NULL) < 0)
            continue;
        made++;
        while (!done)
            linger(10);
        if (broken && !natively)
            escaped("thread with flags %lx is not supervised (%d)", forms[i], broken);
    }
    if (natively && made)
        works("%d threads were made", made);
    contained("%d threads were made, all supervised", made);
}
