/* The i386 multiplexer socketcall (102), whose arguments lie in memory: a filter that knows socket by its own number
 * does not see it. Natively a TCP connection to the victim is made. Here the filter kills whatever is not of the
 * x86-64 ABI, which has no such multiplexers.
 * class: 18
 * contained: killed
 * ways: 1
 * build: musl */
#include <netinet/in.h>

#include "lib/i386.h"

enum { CALL_SOCKET = 1, CALL_CONNECT = 3 };

int main(int argc, char **argv)
{
    unsigned *args;
    struct sockaddr_in *address;
    long fd;

    attack_start(argc, argv);
    attempt("a connection by socketcall");
    args = (unsigned *)low_memory(4096, PROT_READ | PROT_WRITE);
    address = (struct sockaddr_in *)(args + 16);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((unsigned short)tcp_port()),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    args[0] = AF_INET;
    args[1] = SOCK_STREAM;
    args[2] = 0;
    fd = int80_or_cannot(I386_SOCKETCALL, CALL_SOCKET, (unsigned long)args, 0);
    if (fd < 0)
        contained("socketcall(socket): errno %ld", -fd);
    args[0] = (unsigned)fd;
    args[1] = (unsigned)(unsigned long)address;
    args[2] = sizeof *address;
    judge(int80(I386_SOCKETCALL, CALL_CONNECT, (unsigned long)args, 0), "a connection by socketcall");
}
