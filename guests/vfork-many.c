/* Many vfork children one after another, none of which execs; each has another exit status.
 *     vfork-many [CHILDREN]
 * Expected: exit 0 under ostoo, default and natively.
 * build: musl
 * with: lib/trampoline.S */
#include "lib/vfork.h"

static volatile long count;

static long child(void *arg)
{
    count++;
    return (long)arg;
}

int main(int argc, char **argv)
{
    long children = argc > 1 ? (long)to_number(argv[1]) : 1000;

    for (long i = 0; i < children; i++) {
        long pid = vfork_child(child, (void *)(i % 256));

        expect_equal(count, i + 1, "children that have run");
        expect_exit(pid, (int)(i % 256));
    }
    say("%ld children exited, each with its own status", children);
    return 0;
}
