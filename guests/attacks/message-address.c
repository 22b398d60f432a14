/* The address in a message: a datagram socket of a pair, which needs no socket(2), sends to the victim's socket by
 * name; and the structures around the name lie in memory that cannot be read, which must not count as harmless.
 * Natively the datagram arrives. Here only pairs are given that send to each other.
 * class: 26
 * contained: errno
 * ways: 4
 * build: musl */
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "lib/attack.h"

static const long types[] = {
    SOCK_DGRAM, SOCK_RAW, SOCK_DGRAM | SOCK_CLOEXEC, SOCK_RAW | SOCK_NONBLOCK, (long)(1UL << 32) | SOCK_DGRAM,
    SOCK_SEQPACKET, SOCK_STREAM,
};

static void try_pair(long type)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct iovec bytes = {"hello", 5};
    struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &bytes, .msg_iovlen = 1};
    struct mmsghdr many = {.msg_hdr = message};
    int pair[2] = {-1, -1};

    strcpy(to.sun_path, joined(path_socket(), ".dgram"));
    raw(SYS_socketpair, AF_UNIX, type, 0, pair);
    if (type != SOCK_STREAM && type != SOCK_SEQPACKET) {
        unless_refused(raw(SYS_sendmsg, pair[0], &message, 0), "sendmsg to the victim's socket");
        unless_refused(raw(SYS_sendmmsg, pair[0], &many, 1, 0), "sendmmsg to the victim's socket");
    } else {
        /* Connected: the kernel refuses, or sends to the other end. What arrived, the harness sees. */
        raw(SYS_sendmsg, pair[0], &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    unless_refused(raw(SYS_sendmsg, pair[0], (void *)8, 0), "sendmsg of an unreadable message");
    unless_refused(raw(SYS_sendmsg, pair[0], NULL, 0), "sendmsg of no message");
    raw(SYS_close, pair[0]);
    raw(SYS_close, pair[1]);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    for (unsigned i = 0; i < sizeof types / sizeof *types; i++)
        try_pair(types[i]);
    contained("no pair of sockets sends to anybody else");
}
