/* Reserves a terabyte of memory and touches it page by page, from its beginning to its end.
 *     hoard [MIB]
 * With MIB it stops there, says so, and ends.
 * Expected: exit 0 with MIB; without, it is killed at some point, natively by the kernel.
 * build: musl */
#include <sys/mman.h>

#include "lib/expect.h"

enum { PAGE = 4096 };

int main(int argc, char **argv)
{
    unsigned long terabyte = 1UL << 40, mib = argc > 1 ? to_number(argv[1]) : terabyte >> 20;
    char *memory = mmap(NULL, terabyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        cannot_be_tested("a terabyte cannot be reserved");
    expect(mib <= terabyte >> 20, "no more than a terabyte");
    for (unsigned long at = 0; at < mib << 20; at += PAGE)
        ((volatile char *)memory)[at] = 1;
    say("%ld MiB touched", (long)mib);
    return 0;
}
