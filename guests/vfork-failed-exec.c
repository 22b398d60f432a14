/* A failed execve releases nobody: the child goes on in the shared memory and sees that its parent does not move, until
 * it exits.
 * Expected: exit 0 under ostoo, default and natively.
 * build: musl
 * with: lib/trampoline.S */
#include <errno.h>

#include "lib/vfork.h"

static volatile int parent_moved, progress;

static void expect_held(const char *what)
{
    for (int i = 0; i < 2000; i++) {
        linger(1);
        expect(!parent_moved, what);
    }
}

static long child(void *arg)
{
    char *argv[] = {"missing", NULL};

    (void)arg;
    expect_equal(raw(SYS_execve, "./no-such-program", argv, argv + 1), -ENOENT, "execve of a missing path");
    expect_held("held after ENOENT");
    expect_equal(raw(SYS_execve, NULL, argv, argv + 1), -EFAULT, "execve of NULL");
    expect_held("held after EFAULT");
    progress = 1;
    return 4;
}

int main(void)
{
    long pid = vfork_child(child, NULL);

    parent_moved = 1;
    expect_equal(progress, 1, "how far the child had come when the parent went on");
    expect_exit(pid, 4);
    say("a failed execve released nobody");
    return 0;
}
