/* More memory than a run may have: a terabyte reserved, then a gigabyte touched page by page, by mmap, by brk and on
 * the stack. Natively it is there. Here the limit on memory ends the run, or the kernel says ENOMEM.
 * class: 128
 * contained: errno limit
 * ways: 3
 * options: --memory 128MiB
 * build: musl */
#include <sys/mman.h>
#include <sys/resource.h>

#include "lib/ways.h"

enum { PAGE = 4096, BLOCK = 16 << 20, BLOCKS = 64, STACK_STEP = 1 << 16 };

static int touch(long at, long size)
{
    for (long i = 0; i < size; i += PAGE)
        ((volatile char *)at)[i] = 1;
    return 1;
}

static long map(long size, long flags)
{
    return raw(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static long mapped(void)
{
    long blocks = 0, at;

    while (blocks < BLOCKS && (at = map(BLOCK, 0)) > 0)
        blocks += touch(at, BLOCK);
    return blocks;
}

static long grown(void)
{
    long start = raw(SYS_brk, 0), blocks = 0;

    while (blocks < BLOCKS && raw(SYS_brk, start + (blocks + 1) * BLOCK) == start + (blocks + 1) * BLOCK)
        blocks += touch(start + blocks * BLOCK, BLOCK);
    return blocks;
}

static long stacked(long left)
{
    volatile char room[STACK_STEP];

    room[0] = room[STACK_STEP - 1] = (char)left;
    return left > 0 ? stacked(left - 1) + room[0] * 0 : 0;
}

int main(int argc, char **argv)
{
    struct rlimit stack = {512L << 20, RLIM_INFINITY};

    attack_start(argc, argv);
    raw(SYS_mmap, 0, 1L << 40, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    way(mapped() == BLOCKS, "a gigabyte by mmap");
    not_natively("a gigabyte by brk", "one gigabyte is enough");
    not_natively("a deep stack", "one gigabyte is enough");
    if (natively)
        ways_end("memory");
    way(grown() == BLOCKS, "a gigabyte by brk");
    way((raw(SYS_setrlimit, RLIMIT_STACK, &stack) == 0 || raw(SYS_prlimit64, 0, RLIMIT_STACK, &stack, NULL) == 0) &&
            stacked((256L << 20) / STACK_STEP) == 0,
        "a deep stack");
    ways_end("memory");
}
