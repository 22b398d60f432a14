/* Signals to the process that judges: the guest's parent, which is the supervisor, and all of its parents in turn.
 * Natively they arrive; nothing but SIGCONT and the empty signal 0 is sent. Here the supervisor answers ESRCH for
 * whoever is no guest, and a Landlock scope forbids signals out of the sandbox in the kernel too.
 * class: 83
 * contained: errno
 * ways: 6
 * build: musl */
#include "lib/files.h"

/* The fourth field of /proc/PID/stat, behind the name in brackets; 0 where it cannot be read. */
static long parent_of(long pid)
{
    static char path[64], text[1024];
    long fd, got;
    char *at;

    path_join(path, "/proc/", decimal(pid));
    path_join(path + strlen(path), "/stat", "");
    fd = open_path(path, O_RDONLY);
    got = raw(SYS_read, fd, text, sizeof text - 1);
    raw(SYS_close, fd);
    text[got > 0 ? got : 0] = 0;
    at = strrchr(text, ')');
    return at ? strtol(at + 4, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    if (supervisor() <= 1) {
        not_reached_way("signal 0 to a parent", "getppid does not tell who it is");
        not_reached_way("SIGCONT to a parent", "getppid does not tell who it is");
        not_reached_way("SIGCONT to a parent's thread", "getppid does not tell who it is");
    }
    for (long pid = supervisor(), depth = 0; pid > 1 && depth < 8; pid = parent_of(pid), depth++) {
        way(raw(SYS_kill, pid, 0) == 0, "signal 0 to a parent");
        way(raw(SYS_kill, pid, SIGCONT) == 0, "SIGCONT to a parent");
        way(raw(SYS_tgkill, pid, pid, SIGCONT) == 0, "SIGCONT to a parent's thread");
    }
    not_natively("SIGTERM to the supervisor", "natively that is the harness");
    not_natively("SIGKILL to the supervisor", "natively that is the harness");
    not_natively("SIGKILL to the supervisor's thread", "natively that is the harness");
    if (!natively) {
        way(raw(SYS_kill, supervisor(), SIGTERM) == 0, "SIGTERM to the supervisor");
        way(raw(SYS_kill, supervisor(), SIGKILL) == 0, "SIGKILL to the supervisor");
        way(raw(SYS_tkill, supervisor(), SIGKILL) == 0, "SIGKILL to the supervisor's thread");
    }
    ways_end("signals to the supervisor and its parents");
}
