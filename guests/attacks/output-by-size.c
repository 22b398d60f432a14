/* Standard output that is a file: made long by ftruncate and fallocate without a byte written, and filled through a
 * shared mapping, which is no output to whoever counts calls. And a file of its own, which fallocate gives room past
 * its end or in its middle, where the kernel asks no limit on its size. Natively they become as large as one likes.
 * Here the limit on output or on file size stops it, or a rule.
 * class: 131
 * contained: errno limit
 * ways: 4
 * options: --output 1MiB --file-size 1MiB
 * build: musl */
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/files.h"

enum { SIZE = 16 << 20, PAGE = 4096, KEEP_SIZE = 1, INSERT_RANGE = 0x20 };

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
    for (long i = PAGE; i < SIZE; i += PAGE)
        ((volatile char *)at)[i] = 'x';
    return 1;
}

/* A file of one page, and 16 MiB more by fallocate in a mode that no limit on file sizes covers. */
static void takes_room(int mode, const char *what)
{
    static char path[PATH_SIZE], page[PAGE];
    long fd = open_path(in_work(path, "large"), O_RDWR | O_CREAT | O_TRUNC);
    long result;

    attempt(what);
    raw(SYS_write, fd, page, PAGE);
    raw(SYS_write, fd, page, PAGE);
    result = raw(SYS_fallocate, fd, mode, mode == INSERT_RANGE ? PAGE : 0, SIZE);
    raw(SYS_close, fd);
    raw(SYS_unlink, path);
    answered(result == 0);
}

int main(int argc, char **argv)
{
    int longer, filled;

    attack_start(argc, argv);
    if (natively && size_of(1) < 0)
        cannot("standard output is no file");
    takes_room(KEEP_SIZE, "16 MiB past a file's end");
    takes_room(INSERT_RANGE, "16 MiB in a file's middle");
    attempt("a file of 16 MiB");
    raw(SYS_fallocate, 1, 0, 0, SIZE);
    longer = size_of(1) >= SIZE;
    raw(SYS_ftruncate, 1, SIZE);
    longer += size_of(1) >= SIZE;
    answered(longer > 0);
    attempt("16 MiB through a mapping");
    filled = fills_mapping();
    if (natively)
        raw(SYS_ftruncate, 1, raw(SYS_lseek, 1, 0, SEEK_CUR));
    answered(filled);
    ways_end("the size of standard output");
}
