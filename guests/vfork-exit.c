/* A vfork parent is held until its child has exited without exec; it sees what the child did to their memory.
 * Expected: exit 0 under ostoo, default and natively.
 * build: musl
 * with: lib/trampoline.S */
#include "lib/vfork.h"

static volatile int progress;

static long child(void *arg)
{
    progress = 1;
    linger(2000);
    progress = 2;
    if (arg)
        leave(3);
    return 4;
}

int main(void)
{
    long pid = vfork_child(child, "exit_group");

    expect_equal(progress, 2, "how far the child had come when the parent went on");
    expect_exit(pid, 3);
    progress = 0;
    pid = vfork_child(child, NULL);
    expect_equal(progress, 2, "how far the child had come when the parent went on");
    expect_exit(pid, 4);
    say("the parent went on when the child had exited");
    return 0;
}
