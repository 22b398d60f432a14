/* Arguments the kernel takes as 32 bits, with other bits set above: a rule that compares 64 sees another value
 * (CVE-2019-10063 was TIOCSTI | 1 << 32). Natively each is answered as without them. Here rules name what is allowed,
 * all 64 bits of it, rather than what is not.
 * class: 10
 * contained: errno
 * ways: 4
 * build: musl */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "lib/tasks.h"

static const unsigned long high[] = {1UL << 32, 1UL << 63, 0xffffffff00000000UL};

/* A terminal of our own, to put a key into; natively this may lack the right (dev.tty.legacy_tiocsti). */
static void put_key(unsigned long bits)
{
    long fd = raw(SYS_open, "/dev/ptmx", O_RDWR | O_NOCTTY);

    unless_refused(fd < 0 ? fd : raw(SYS_ioctl, fd, bits | TIOCSTI, "x"), "ioctl TIOCSTI with high bits");
    raw(SYS_close, fd);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    for (unsigned i = 0; i < sizeof high / sizeof *high; i++) {
        put_key(high[i]);
        unless_refused(raw(SYS_socket, high[i] | AF_INET, SOCK_STREAM, 0), "socket(AF_INET) with high bits");
        unless_refused(raw(SYS_socket, AF_INET | high[i], high[i] | SOCK_STREAM, high[i]), "socket, all high bits");
        unless_refused(raw(SYS_prctl, high[i] | PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl(PR_SET_DUMPABLE) with high bits");
    }
    contained("high bits of arguments change nothing");
}
