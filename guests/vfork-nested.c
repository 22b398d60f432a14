/* A vfork child that vforks itself, DEPTH deep in one shared memory: the innermost execs (and exits), and the parents
 * go on from the inside outwards, each with its own child's pid and status.
 *     vfork-nested [DEPTH]
 * Expected: exit 0 under ostoo, default and natively.
 * build: musl
 * with: lib/trampoline.S */
#include "lib/vfork.h"

enum { DEEPEST = 32 };

static char *self;
static char *depth_text = "8";
static long depth;
static _Alignas(16) char stacks[DEEPEST][VFORK_STACK];
static long went_on[DEEPEST + 1], pids[DEEPEST + 1];
static volatile long order;

static long level(void *arg)
{
    long own = (long)arg;
    long pid;

    pids[own] = raw(SYS_getpid);
    if (own == depth) {
        linger(500);
        expect_equal(order, 0, "parents that went on before the innermost exec'd");
        exec_self(self, "leaf", depth_text);
        leave(99);
    }
    pid = vfork_on(stacks[own], level, (void *)(own + 1));
    went_on[own] = ++order;
    expect_equal(pid, pids[own + 1], "clone returns the child's own pid");
    expect_equal(raw(SYS_getpid), pids[own], "this process is still itself");
    expect_exit(pid, (int)own + 1);
    return own;
}

int main(int argc, char **argv)
{
    if (argc > 1 && same_text(argv[1], "leaf"))
        return (int)to_number(argv[2]);
    if (argc > 1)
        depth_text = argv[1];
    depth = (long)to_number(depth_text);
    expect(depth >= 1 && depth <= DEEPEST, "a depth from 1 to 32");
    self = argv[0];
    expect_equal(level(NULL), 0, "the outermost level");
    for (long i = 0; i < depth; i++)
        expect_equal(went_on[i], depth - i, "the turn in which a parent went on");
    say("%ld nested parents went on from the inside outwards", depth);
    return 0;
}
