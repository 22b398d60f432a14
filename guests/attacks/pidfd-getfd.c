/* Copies of another process's open descriptors: pidfd_getfd on the victim and on the supervisor. Natively the victim's
 * standard input can be had. Here pidfd_open names no process outside, and pidfd_getfd is refused.
 * class: 107
 * contained: errno
 * ways: 3
 * build: musl */
#include "lib/files.h"

static void try_on(long pid)
{
    static char path[64];
    long by_pid = raw(SYS_pidfd_open, pid, 0), by_proc;

    path_join(path, "/proc/", decimal(pid));
    by_proc = open_path(path, O_RDONLY | O_DIRECTORY);
    way(by_pid >= 0, "pidfd_open");
    for (long fd = 0; fd < 8; fd++) {
        way(raw(SYS_pidfd_getfd, by_pid, fd, 0) >= 0, "pidfd_getfd");
        way(raw(SYS_pidfd_getfd, by_proc, fd, 0) >= 0, "pidfd_getfd by a /proc directory");
    }
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    try_on(victim());
    if (!natively)
        try_on(supervisor());
    ways_end("another process's descriptors");
}
