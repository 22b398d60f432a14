/* Sixty-four megabytes on standard output and standard error, by two descriptors and a copy of one. Natively all of it
 * arrives. Here the limit on output ends the run.
 * class: 131
 * contained: errno limit
 * ways: 1
 * options: --output 1MiB
 * build: musl */
#include "lib/ways.h"

enum { CHUNK = 1 << 16, CHUNKS = 1024 };

static char chunk[CHUNK];

/* Back to where it started, so that what it says comes first where the output is a file. */
static int all_written(void)
{
    long copy = raw(SYS_dup2, 1, 20), fds[] = {1, 2, copy}, start = raw(SYS_lseek, 1, 0, SEEK_CUR);

    for (int i = 0; i < CHUNKS; i++)
        if (raw(SYS_write, fds[i % 3], chunk, CHUNK) != CHUNK)
            return 0;
    raw(SYS_lseek, 1, start, SEEK_SET);
    return 1;
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    attempt("64 MiB of output");
    memset(chunk, 'x', sizeof chunk);
    chunk[CHUNK - 1] = '\n';
    if (all_written())
        escaped("sixty-four megabytes of output");
    contained("output is refused");
}
