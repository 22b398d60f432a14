/* Output that no write makes: writev, splice, sendfile, and standard output opened anew through /proc. Natively tens of
 * megabytes arrive. Here each counts, or cannot be done.
 * class: 131
 * contained: errno limit
 * ways: 4
 * options: --output 1MiB
 * build: musl */
#include <sys/uio.h>

#include "lib/files.h"

enum { MEGABYTE = 1 << 20, WANTED = 16 };

static char chunk[MEGABYTE];

static long by_sendfile(void)
{
    long fd = raw(SYS_memfd_create, "source", 0), sent = 0, got;

    raw(SYS_write, fd, chunk, MEGABYTE);
    for (int i = 0; i < WANTED; i++) {
        long from = 0;

        if ((got = raw(SYS_sendfile, 1, fd, &from, MEGABYTE)) > 0)
            sent += got;
    }
    raw(SYS_close, fd);
    return sent;
}

static long by_splice(void)
{
    int ends[2];
    long sent = 0, got;

    if (raw(SYS_pipe2, ends, O_NONBLOCK) < 0)
        return 0;
    while (sent < (long)WANTED * MEGABYTE) {
        raw(SYS_write, ends[1], chunk, MEGABYTE / 16);
        if ((got = raw(SYS_splice, ends[0], NULL, 1, NULL, MEGABYTE / 16, 0)) <= 0)
            break;
        sent += got;
    }
    raw(SYS_close, ends[0]);
    raw(SYS_close, ends[1]);
    return sent;
}

static long by_vector(long fd)
{
    struct iovec parts[2] = {{chunk, MEGABYTE / 2}, {chunk, MEGABYTE / 2}};
    long sent = 0, got;

    for (int i = 0; i < WANTED && (got = raw(SYS_writev, fd, parts, 2)) > 0; i++)
        sent += got;
    return sent;
}

static long by_own_vector(void) { return by_vector(1); }

static long by_reopened(void)
{
    return by_vector(open_path("/proc/self/fd/1", O_WRONLY | O_APPEND));
}

/* Back to where it started, so that what is said next comes first where the output is a file. */
static int all_sent(long (*send)(void))
{
    long start = raw(SYS_lseek, 1, 0, SEEK_CUR), sent = send();

    raw(SYS_lseek, 1, start, SEEK_SET);
    return sent >= (long)WANTED * MEGABYTE;
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    memset(chunk, 'x', sizeof chunk);
    way(all_sent(by_reopened), "writev to /proc/self/fd/1");
    way(all_sent(by_splice), "splice");
    way(all_sent(by_sendfile), "sendfile");
    way(all_sent(by_own_vector), "writev");
    ways_end("indirect output");
}
