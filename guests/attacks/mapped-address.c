/* The victim's IPv4 port by its IPv6-mapped address, ::ffff:127.0.0.1, which a rule about IPv4 addresses does not
 * know, and by other spellings of the loopback. Natively it is reached. Here there are no internet sockets; where a
 * policy allows some, Landlock judges ports, not spellings.
 * class: 114
 * contained: errno
 * ways: 4
 * build: musl */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "lib/ways.h"

static void try_6(const char *last_twelve, const char *what)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)tcp_port())};
    long fd = raw(SYS_socket, AF_INET6, SOCK_STREAM, 0);

    memcpy(address.sin6_addr.s6_addr + 4, last_twelve, 12);
    way(raw(SYS_connect, fd, &address, sizeof address) == 0, what);
    raw(SYS_close, fd);
}

static void try_4(unsigned host, const char *what)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((unsigned short)tcp_port()), .sin_addr = {htonl(host)}};
    long fd = raw(SYS_socket, AF_INET, SOCK_STREAM, 0);

    way(raw(SYS_connect, fd, &address, sizeof address) == 0, what);
    raw(SYS_close, fd);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    try_6("\0\0\0\0\0\0\xff\xff\x7f\0\0\1", "::ffff:127.0.0.1");
    try_6("\0\0\0\0\0\0\xff\xff\0\0\0\0", "::ffff:0.0.0.0");
    try_4(0x7f000001, "127.0.0.1");
    try_4(0, "0.0.0.0");
    ways_end("spellings of an address");
}
