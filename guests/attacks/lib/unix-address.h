/* The victim's UNIX sockets as addresses. */
#ifndef ATTACK_UNIX_ADDRESS_H
#define ATTACK_UNIX_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "files.h"

static struct sockaddr_un address;
static socklen_t address_size;

static inline void address_by_path(const char *suffix)
{
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    path_join(address.sun_path, path_socket(), suffix);
    address_size = sizeof address;
}

static inline void address_by_name(const char *suffix)
{
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    path_join(address.sun_path + 1, abstract_socket(), suffix);
    address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address.sun_path + 1));
}

#endif
