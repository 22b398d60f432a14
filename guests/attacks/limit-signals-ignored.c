/* The kernel's limits speak by signals first: SIGXCPU at the soft limit on CPU time, SIGXFSZ at the size of a file.
 * Here both are ignored and blocked, three seconds of CPU time are used, and sixteen megabytes written to one file.
 * Natively nothing happens. In the sandbox the run's limits end it all the same, and a write beyond the limit gets
 * EFBIG.
 * class: 132
 * contained: errno limit
 * ways: 3
 * options: --cpu 1 --file-size 1MiB
 * build: musl */
#include "lib/burn.h"
#include "lib/files.h"

enum { CHUNK = 1 << 20, CHUNKS = 16 };

static char chunk[CHUNK];

static int file_grows(long fd)
{
    int written = 0;

    for (int i = 0; i < CHUNKS; i++)
        written += raw(SYS_write, fd, chunk, CHUNK) == CHUNK;
    raw(SYS_close, fd);
    return written == CHUNKS;
}

int main(int argc, char **argv)
{
    static char path[PATH_SIZE];
    static const int limits[] = {SIGXCPU, SIGXFSZ};

    attack_start(argc, argv);
    for (int i = 0; i < 2; i++) {
        unsigned long ignore[4] = {1 /* SIG_IGN */, 0, 0, 0}, one = 1UL << (limits[i] - 1);

        raw(SYS_rt_sigaction, limits[i], ignore, NULL, 8);
        raw(SYS_rt_sigprocmask, SIG_BLOCK, &one, NULL, 8);
    }
    way(file_grows(open_path(in_work(path, "large"), O_WRONLY | O_CREAT | O_TRUNC)), "a file of 16 MiB");
    way(file_grows(raw(SYS_memfd_create, "large", 0)), "a memfd of 16 MiB");
    raw(SYS_unlink, path);
    attempt("three seconds of CPU time");
    burn(3);
    answered(1);
    ways_end("limits without their signals");
}
