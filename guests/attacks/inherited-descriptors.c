/* Descriptors that were open when the guest was started: the log, the policy, a directory, the supervisor's pipes.
 * Natively an open secret without O_CLOEXEC is read by the next program. Here every number from 3 up is closed, and 0
 * to 2 are the three that were given.
 * class: 106
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/files.h"

enum { FIRST = 3, LAST = 4096 };

static int is_open(long fd)
{
    return raw(SYS_fcntl, fd, F_GETFD) >= 0;
}

int main(int argc, char **argv)
{
    long open_ones = 0;

    attack_start(argc, argv);
    if (natively && !*stage(argc, argv)) {
        raw(SYS_dup2, open_path(secret(), O_RDONLY), 100);
        exec_stage("heir");
    }
    for (long fd = FIRST; fd < LAST; fd++)
        if (is_open(fd) && (!natively || fd_tells(fd)))
            open_ones++;
    way(open_ones > 0, "a descriptor that was open before");
    ways_end("inherited descriptors");
}
