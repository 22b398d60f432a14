/* The victim's UNIX sockets, abstract and by path, stream and datagram: connect, sendto, sendmsg and sendmmsg, from
 * sockets and from pairs, and binding a name others may take for a service. Natively all are reached. Here no UNIX
 * socket is made but a connected stream pair, and Landlock scopes abstract names in the kernel. An answer such as
 * EPROTOTYPE says that the kernel has looked the name up: that counts as reached.
 * class: 110
 * contained: errno
 * ways: 5
 * build: musl */
#include "lib/unix-address.h"

static int reached(long result)
{
    return result >= 0 || result == -EPROTOTYPE || result == -ECONNREFUSED || result == -EAGAIN;
}

static void send_all_ways(long fd)
{
    struct iovec text = {"x", 1};
    struct mmsghdr many = {
        .msg_hdr = {.msg_name = &address, .msg_namelen = address_size, .msg_iov = &text, .msg_iovlen = 1},
    };

    way(reached(raw(SYS_sendto, fd, "x", 1, MSG_NOSIGNAL, &address, address_size)), "sendto");
    way(reached(raw(SYS_sendmsg, fd, &many.msg_hdr, MSG_NOSIGNAL)), "sendmsg");
    way(reached(raw(SYS_sendmmsg, fd, &many, 1, MSG_NOSIGNAL)), "sendmmsg");
    way(reached(raw(SYS_connect, fd, &address, address_size)), "connect");
    raw(SYS_close, fd);
}

static void try_address(void)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW};

    for (unsigned i = 0; i < sizeof types / sizeof *types; i++)
        send_all_ways(raw(SYS_socket, AF_UNIX, types[i] | SOCK_NONBLOCK, 0));
    for (unsigned i = 1; i < sizeof types / sizeof *types; i += 2) {
        int pair[2] = {-1, -1};

        raw(SYS_socketpair, AF_UNIX, types[i] | SOCK_NONBLOCK, 0, pair);
        send_all_ways(pair[0]);
        raw(SYS_close, pair[1]);
    }
}

static void try_bind(void)
{
    long fd = raw(SYS_socket, AF_UNIX, SOCK_STREAM, 0);

    address_by_name(".squatted");
    way(raw(SYS_bind, fd, &address, address_size) == 0, "bind of an abstract name");
    raw(SYS_close, fd);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    for (int dgram = 0; dgram < 2; dgram++) {
        address_by_name(dgram ? ".dgram" : "");
        try_address();
        address_by_path(dgram ? ".dgram" : "");
        try_address();
    }
    try_bind();
    ways_end("the victim's UNIX sockets");
}
