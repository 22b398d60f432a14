/* Numbers of refused calls with one more bit set, below bit 30: a tracer that keeps flags of its own in its table's
 * numbers may find an entry there. The kernel says ENOSYS to all, so natively there is nothing to show. Here they are
 * unknown numbers, refused by the filter.
 * class: 20
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/tasks.h"

int main(int argc, char **argv)
{
    static const short calls[] = {SYS_unshare, SYS_kill, SYS_clone, SYS_fork, SYS_execve, SYS_getpid, SYS_write};

    attack_start(argc, argv);
    attempt("numbers with flag bits");
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        for (int bit = 10; bit < 32; bit++) {
            long result = bit == 30 ? -ENOSYS : raw(calls[i] | 1L << bit, 1, "ESCAPED\n", 8, 0, 0, 0);

            if (result != -ENOSYS)
                escaped("number %lx answered %ld", calls[i] | 1UL << bit, result);
        }
    expect_supervised();
    cannot("no number is taken for another");
}
