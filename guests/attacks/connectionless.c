/* Data sent without connect: datagrams by sendto, sendmsg and sendmmsg, a TCP connection by sendto with MSG_FASTOPEN,
 * and connect by disconnecting first (AF_UNSPEC). A sandbox that judges connect only never sees the address. Natively
 * the victim's UDP port takes the datagram. Here there is no socket to send from.
 * class: 115
 * contained: errno
 * ways: 10
 * build: musl */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "lib/ways.h"

static struct sockaddr_in address;

/* A new socket for each: the first byte by fast open connects one. */
static long socket_of(long type, int disconnect)
{
    struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    long fd = raw(SYS_socket, AF_INET, type, 0);

    if (disconnect)
        raw(SYS_connect, fd, &unspecified, sizeof unspecified);
    return fd;
}

static void send_all_ways(long type, int disconnect, long flags, const char *what)
{
    struct iovec text = {"x", 1};
    struct mmsghdr many = {
        .msg_hdr = {.msg_name = &address, .msg_namelen = sizeof address, .msg_iov = &text, .msg_iovlen = 1},
    };
    long fd = socket_of(type, disconnect);

    way(raw(SYS_sendto, fd, "x", 1, flags, &address, sizeof address) >= 0, joined(what, ", sendto"));
    raw(SYS_close, fd);
    fd = socket_of(type, disconnect);
    way(raw(SYS_sendmsg, fd, &many.msg_hdr, flags) >= 0, joined(what, ", sendmsg"));
    raw(SYS_close, fd);
    fd = socket_of(type, disconnect);
    way(raw(SYS_sendmmsg, fd, &many, 1, flags) >= 0, joined(what, ", sendmmsg"));
    raw(SYS_close, fd);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)tcp_port());
    address.sin_addr.s_addr = htonl(0x7f000001);
    send_all_ways(SOCK_DGRAM, 0, MSG_NOSIGNAL, "a datagram");
    send_all_ways(SOCK_STREAM, 0, MSG_NOSIGNAL | MSG_FASTOPEN, "a stream by fast open");
    send_all_ways(SOCK_DGRAM, 1, MSG_NOSIGNAL, "a datagram from a disconnected socket");
    for (long fd = 0; fd < 3; fd++)
        way(raw(SYS_sendto, fd, "x", 1, MSG_NOSIGNAL, &address, sizeof address) >= 0, "through standard input");
    ways_end("data without a connection");
}
