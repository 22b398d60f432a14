/* Not one instruction of a held parent runs: for many children in turn, the child keeps reading what the parent writes
 * first thing after clone. Odd children exec, even ones exit.
 *     vfork-order [CHILDREN]
 * Expected: exit 0 under ostoo, default and natively.
 * build: musl
 * with: lib/trampoline.S */
#include "lib/vfork.h"

static char *self;
static volatile long parent_steps, child_steps, last_child;

static long child(void *arg)
{
    long before = parent_steps;

    for (int i = 0; i < 200; i++) {
        linger(1);
        raw(SYS_sched_yield);
        expect_equal(parent_steps, before, "a held parent's steps");
        child_steps++;
    }
    last_child = (long)arg;
    if ((long)arg % 2)
        exec_self(self, "child", NULL);
    leave(0);
}

int main(int argc, char **argv)
{
    long children = 50;

    if (argc > 1 && same_text(argv[1], "child"))
        return 0;
    if (argc > 1)
        children = (long)to_number(argv[1]);
    self = argv[0];
    for (long i = 1; i <= children; i++) {
        long pid = vfork_child(child, (void *)i);

        parent_steps++;
        expect_equal(last_child, i, "the child that has run");
        expect_equal(child_steps, 200 * i, "all of its steps");
        expect_exit(pid, 0);
    }
    say("%ld children ran while their parent stood still", children);
    return 0;
}
