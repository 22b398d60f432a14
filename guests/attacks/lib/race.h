/* A path in memory that somebody else rewrites while it is opened. */
#ifndef ATTACK_RACE_H
#define ATTACK_RACE_H

#include <fcntl.h>

#include "tasks.h"

enum { PATH_ROOM = 4096, OPENS = 3000, NATIVE_MILLISECONDS = 20000 };

static char harmless_path[PATH_ROOM], secret_path[PATH_ROOM];

static inline void prepare_paths(volatile char *path)
{
    strcpy(harmless_path, "/proc/self/stat");
    strcpy(secret_path, secret());
    for (size_t i = 0; i < sizeof harmless_path; i++)
        path[i] = harmless_path[i];
}

static inline void put_path(volatile char *path, const char *text)
{
    /* The first byte last: both begin with it, and a half-written path is only another name. */
    do
        *path++ = *text;
    while (*text++);
}

/* There and back. */
static inline void swap_path(volatile char *path)
{
    put_path(path, secret_path);
    for (volatile int i = 0; i < 200; i++)
        ;
    put_path(path, harmless_path);
    for (volatile int i = 0; i < 200; i++)
        ;
}

/* Natively a race is won sooner or later, and given the time for it: on a busy machine both may run on one CPU. */
static inline int goes_on(int i, long since)
{
    return i < OPENS || (natively && milliseconds() - since < NATIVE_MILLISECONDS);
}

/* Opens the path again and again; through where a descriptor reads the secret. */
static inline void race_opens(volatile char *path)
{
    long since = milliseconds();

    for (int i = 0; goes_on(i, since); i++) {
        long fd = raw(SYS_open, path, O_RDONLY | O_CLOEXEC);

        if (fd >= 0 && reads_secret(fd))
            escaped("a path rewritten by another task read the secret, open %d", i);
    }
}

#endif
