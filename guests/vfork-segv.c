/* The child dies before exec by a store to address 0: the parent goes on and sees SIGSEGV. (Before Linux 5.16 a core
 * dump ended every process sharing the memory, so the parent dies too there.)
 * Expected: exit 0 under ostoo, default and natively.
 * build: musl
 * with: lib/trampoline.S */
#include <signal.h>

#include "lib/vfork.h"

static volatile int progress;

static long child(void *arg)
{
    (void)arg;
    linger(500);
    progress = 1;
    __asm__ volatile("movl $0, 0" ::: "memory");
    not_reached();
}

int main(void)
{
    long pid = vfork_child(child, NULL);

    expect_equal(progress, 1, "how far the child had come when the parent went on");
    expect_killed(pid, SIGSEGV);
    say("the parent went on when the child had crashed");
    return 0;
}
