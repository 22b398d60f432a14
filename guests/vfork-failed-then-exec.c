/* A child whose first attempts at execve fail, and whose last one succeeds, releases its parent at the last one only.
 *     vfork-failed-then-exec [ATTEMPTS]
 * Expected: exit 0 under ostoo, default and natively.
 * build: musl
 * with: lib/trampoline.S */
#include <errno.h>

#include "lib/vfork.h"

static char *self;
static volatile long parent_moved, failures;

static long child(void *attempts)
{
    char *argv[] = {"missing", NULL};

    for (long i = 0; i < (long)attempts; i++) {
        expect_equal(raw(SYS_execve, "./no-such-program", argv, argv + 1), -ENOENT, "execve of a missing path");
        linger(100);
        expect(!parent_moved, "held after a failed execve");
        failures++;
    }
    exec_self(self, "child", NULL);
    leave(1);
}

int main(int argc, char **argv)
{
    long attempts = 20;
    long pid;

    if (argc > 1 && same_text(argv[1], "child"))
        return 6;
    if (argc > 1)
        attempts = (long)to_number(argv[1]);
    self = argv[0];
    pid = vfork_child(child, (void *)attempts);
    parent_moved = 1;
    expect_equal(failures, attempts, "failed attempts before the parent went on");
    expect_exit(pid, 6);
    say("the parent went on after %ld failed attempts and one that succeeded", attempts);
    return 0;
}
