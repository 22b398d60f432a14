/* A child that neither execs nor exits holds its parent for ever: only a limit, or a kill, ends both.
 * Expected: prints one line and hangs, everywhere; prints "not reached" only if the parent goes on.
 * build: musl
 * with: lib/trampoline.S */
#include "lib/vfork.h"

static int ends[2];

static long child(void *arg)
{
    char byte;

    (void)arg;
    say("the child holds its parent");
    for (;;)
        raw(SYS_read, ends[0], &byte, 1);
}

int main(void)
{
    expect_equal(raw(SYS_pipe2, ends, 0), 0, "pipe2");
    vfork_child(child, NULL);
    not_reached();
}
