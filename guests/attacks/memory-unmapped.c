/* Memory that no process maps, so that none is seen to use it: half a gigabyte written into memfds, the buffers of pipes
 * and of socket pairs. Natively it is there. Here it counts as the run's (a cgroup's account sees it), or the limits on
 * file size and open files keep each kind small; the program says how much it got.
 * class: 128
 * contained: errno limit
 * ways: 2
 * options: --memory 128MiB
 * build: musl */
#include <sys/socket.h>

#include "lib/files.h"

enum { PAGE = 4096, CHUNK = 1 << 20, WANTED = 512, PIPES = 200 };

static char chunk[CHUNK];

static long in_memfds(void)
{
    long got = 0;

    for (int file = 0; file < 16 && got < WANTED; file++) {
        long fd = raw(SYS_memfd_create, "hoard", 0);

        while (got < WANTED / 16 * (file + 1) && raw(SYS_write, fd, chunk, CHUNK) == CHUNK)
            got++;
    }
    return got;
}

/* A page only where a pipe can be neither enlarged nor made not to block. */
static long in_pipes(void)
{
    long bytes = 0;

    for (int i = 0; i < PIPES; i++) {
        int ends[2];
        long got;

        if (raw(SYS_pipe2, ends, O_NONBLOCK) < 0)
            break;
        got = raw(SYS_fcntl, ends[1], 1031 /* F_SETPIPE_SZ */, CHUNK) == CHUNK ? CHUNK : PAGE;
        if ((got = raw(SYS_write, ends[1], chunk, got)) > 0)
            bytes += got;
    }
    return bytes / CHUNK;
}

static long in_sockets(void)
{
    long bytes = 0, got;

    for (int i = 0; i < PIPES; i++) {
        int pair[2], size = CHUNK;

        if (raw(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
            break;
        raw(SYS_setsockopt, pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        if ((got = raw(SYS_write, pair[0], chunk, CHUNK)) > 0)
            bytes += got;
    }
    return bytes / CHUNK;
}

int main(int argc, char **argv)
{
    long files, pipes, sockets;

    attack_start(argc, argv);
    memset(chunk, 1, sizeof chunk);
    attempt("half a gigabyte in memfds");
    files = in_memfds();
    answered(files >= WANTED);
    attempt("half a gigabyte that no process maps");
    pipes = in_pipes();
    sockets = in_sockets();
    say("MiB in memfds: %ld, in pipes: %ld, in sockets: %ld", files, pipes, sockets);
    answered(files + pipes + sockets >= WANTED);
    ways_end("unmapped memory");
}
