/* Sockets of every family and type: netlink, packet, raw, vsock, the kernel's crypto, Bluetooth, and whatever a later
 * kernel brings. Natively several can be made by anybody. Here all are refused, in socket and in socketpair, but a
 * connected pair of AF_UNIX; the family is compared with its high bits too.
 * class: 111
 * contained: errno
 * ways: 64
 * build: musl */
#include <sys/socket.h>

#include "lib/ways.h"

enum { FAMILIES = 64, TYPES = 11 };

static char what[] = "a socket of family 00";

static int made(long fd)
{
    raw(SYS_close, fd);
    return fd >= 0;
}

static void try_family(long family, long type)
{
    int pair[2] = {-1, -1};

    what[19] = (char)('0' + (family & 0xff) / 10);
    what[20] = (char)('0' + (family & 0xff) % 10);
    for (long protocol = 0; protocol <= 1; protocol++) {
        way(made(raw(SYS_socket, family, type, protocol)), what);
        way(made(raw(SYS_socket, family | 1L << 32, type, protocol)), what);
    }
    way((family & 0xff) != AF_UNIX && raw(SYS_socketpair, family, type, 0, pair) == 0, what);
    raw(SYS_close, pair[0]);
    raw(SYS_close, pair[1]);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    for (long family = 0; family < FAMILIES; family++)
        for (long type = 1; type < TYPES; type++)
            try_family(family, type);
    try_family(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
    try_family(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK);
    ways_end("sockets of all families");
}
