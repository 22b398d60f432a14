/* Numbers outside the table: negative ones, -1 (with which a tracer itself says "skip this call"), the largest. A
 * supervisor may fail over them, take them for its own, or leave whatever was in rax as the answer. The kernel says
 * ENOSYS to all, so natively there is nothing to show. Here the filter does, or kills where bit 30 makes it an x32 call.
 * class: 8
 * contained: errno killed
 * ways: 1
 * build: musl */
#include "lib/tasks.h"

/* Those with bit 30 set last. */
static const long numbers[] = {
    472, 473, 500, 511, 548, 599, 600, 1023, 1024, 4095, 4096, 65535, 65536, 0x3fffffff, 0x80000000, 0xbfffffff,
    (long)0x8000000000000258, -1, -2, -38, -512, -4096, 0xffffffff, 0xfffffffe, 0x7fffffff, 0xffff0000,
};

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    attempt("numbers outside the table");
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        long result = raw(numbers[i], victim(), SIGTERM, 0, 0, 0, 0);

        if (result != -ENOSYS)
            escaped("number %lx answered %ld", (unsigned long)numbers[i], result);
        expect_supervised();
    }
    cannot("every number outside the table is ENOSYS");
}
