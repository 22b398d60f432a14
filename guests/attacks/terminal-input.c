/* Keys put into a terminal's input, which the user's shell reads when the guest is gone: TIOCSTI, and TIOCLINUX's
 * paste, on standard input, on /dev/tty and on a terminal of the guest's own; each request with bits above 32 set
 * too, which the kernel ignores. The harness gives it a terminal of its own for standard input, and looks whether a
 * key has come there. Natively both terminals take it. Here the request is refused over all 64 bits.
 * class: 109
 * contained: errno
 * ways: 2
 * needs: terminal
 * build: musl */
#include <sys/ioctl.h>

#include "lib/files.h"

enum { LINUX_PASTE = 3 };

static const unsigned long above[] = {0, 1UL << 32, 1UL << 63, 0xffffffffUL << 32, 0xdeadbeefUL << 32};

static void try_on(long fd)
{
    char key = '\n', paste = LINUX_PASTE;

    for (unsigned i = 0; i < sizeof above / sizeof *above; i++) {
        way(raw(SYS_ioctl, fd, TIOCSTI | above[i], &key) == 0, "TIOCSTI");
        way(raw(SYS_ioctl, fd, TIOCLINUX | above[i], &paste) == 0, "TIOCLINUX");
    }
}

/* The other end of a new pseudo-terminal; -errno. */
static long own_terminal(void)
{
    static char path[64];
    long controller = open_path("/dev/ptmx", O_RDWR | O_NOCTTY);
    int number = -1, unlock = 0;

    raw(SYS_ioctl, controller, TIOCSPTLCK, &unlock);
    if (raw(SYS_ioctl, controller, TIOCGPTN, &number) < 0)
        return controller < 0 ? controller : -1;
    path_join(path, "/dev/pts/", decimal(number));
    return open_path(path, O_RDWR | O_NOCTTY);
}

static long on_own_terminal(void *unused)
{
    long fd;

    (void)unused;
    raw(SYS_setsid);
    fd = own_terminal();
    raw(SYS_ioctl, fd, TIOCSCTTY, 0);
    try_on(fd);
    return ways_open ? GOT_THROUGH : 0;
}

int main(int argc, char **argv)
{
    long pid;

    attack_start(argc, argv);
    /* Started by hand, natively, it would type into the shell of whoever started it. */
    if (!natively || getenv("ATTACK_TERMINAL")) {
        for (long fd = 0; fd < 3; fd++)
            try_on(fd);
        try_on(open_path("/dev/tty", O_RDWR | O_NOCTTY));
    }
    pid = spawn_child(on_own_terminal, NULL);
    if (pid < 0)
        on_own_terminal(NULL);
    if (exited_with(wait_for(pid), 1))
        leave(1);
    if (natively && !ways_open)
        cannot("dev.tty.legacy_tiocsti is 0, or there is no /dev/ptmx");
    ways_end("keys for a terminal");
}
