/* Standard output that is a file: made long by ftruncate and fallocate without a byte written, and filled through a
 * shared mapping, which is no output to whoever counts calls. Natively it becomes as long as one likes. Here the limit
 * on output or on file size stops it.
 * class: 131
 * contained: errno limit
 * options: --output 1MiB --file-size 1MiB
 * build: musl */
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/ways.h"

enum { SIZE = 16 << 20, PAGE = 4096 };

static long size_of(long fd)
{
    struct stat facts = {0};

    raw(SYS_fstat, fd, &facts);
    return S_ISREG(facts.st_mode) ? facts.st_size : -1;
}

static int fills_mapping(void)
{
    long at = raw(SYS_mmap, 0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, 1, 0);

    if (at <= 0 || size_of(1) < SIZE)
        return 0;
    for (long i = 0; i < SIZE; i += PAGE)
        ((volatile char *)at)[i] = 'x';
    return 1;
}

int main(int argc, char **argv)
{
    int longer, filled;

    attack_start(argc, argv);
    if (natively && size_of(1) < 0)
        cannot("standard output is no file");
    raw(SYS_fallocate, 1, 0, 0, SIZE);
    longer = size_of(1) >= SIZE;
    raw(SYS_ftruncate, 1, SIZE);
    longer += size_of(1) >= SIZE;
    filled = fills_mapping();
    if (natively)
        raw(SYS_ftruncate, 1, 0);
    way(longer > 0, "a file of 16 MiB");
    way(filled, "16 MiB through a mapping");
    ways_end("the size of standard output");
}
