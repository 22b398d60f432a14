/* Descriptors that travel in messages (SCM_RIGHTS): out to the victim, which would get this process's directory, by
 * each kind of UNIX socket, connected or not. Natively they arrive. Here there is no socket that reaches outside; a
 * pair of its own may pass what it has.
 * class: 108
 * contained: errno
 * ways: 7
 * build: musl */
#include "lib/unix-address.h"

/* A descriptor with one byte, to `address` where `named`. */
static int sends(long fd, int named)
{
    char byte = 'x', control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec text = {&byte, 1};
    struct msghdr message = {
        .msg_name = named ? &address : NULL, .msg_namelen = named ? address_size : 0,
        .msg_iov = &text, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control,
    };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    *(int *)CMSG_DATA(rights) = 0;
    return raw(SYS_sendmsg, fd, &message, MSG_NOSIGNAL) >= 0;
}

static void try_stream(const char *what)
{
    long fd = raw(SYS_socket, AF_UNIX, SOCK_STREAM, 0);

    way(raw(SYS_connect, fd, &address, address_size) == 0 && sends(fd, 0), what);
    raw(SYS_close, fd);
}

static void try_datagram(const char *what)
{
    long fd = raw(SYS_socket, AF_UNIX, SOCK_DGRAM, 0);
    int pair[2] = {-1, -1};

    way(sends(fd, 1), what);
    raw(SYS_close, fd);
    raw(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, pair);
    way(sends(pair[0], 1), joined(what, ", from a pair"));
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    address_by_name("");
    try_stream("to an abstract stream socket");
    address_by_name(".dgram");
    try_datagram("to an abstract datagram socket");
    address_by_path("");
    try_stream("to a stream socket with a path");
    address_by_path(".dgram");
    try_datagram("to a datagram socket with a path");
    for (long fd = 0; fd < 3; fd++)
        way(sends(fd, 1), "through standard input, output or error");
    ways_end("descriptors sent out");
}
