/* The secret that must not be read, the canary that must not change, and whether a way to one of them is open. */
#ifndef ATTACK_FILES_H
#define ATTACK_FILES_H

#include <fcntl.h>
#include <sys/stat.h>

#include "ways.h"

enum { PATH_SIZE = 4352 };

static inline void path_join(char *into, const char *a, const char *b)
{
    size_t length = 0;

    for (; *a && length < PATH_SIZE - 1; a++)
        into[length++] = *a;
    for (; *b && length < PATH_SIZE - 1; b++)
        into[length++] = *b;
    into[length] = 0;
}

/* The directory part, without its last slash, and the name behind it. */
static inline const char *path_split(const char *path, char *directory)
{
    const char *name = strrchr(path, '/') + 1;

    memcpy(directory, path, (size_t)(name - path));
    directory[name - path > 1 ? name - path - 1 : 1] = 0;
    return name;
}

/* A new name in the working directory, in a buffer of its own. */
static inline char *in_work(char *into, const char *name)
{
    path_join(into, work_dir(), "/");
    path_join(into + strlen(into), name, "");
    return into;
}

/* Does this open descriptor give the secret? Takes -errno too, and closes. */
static inline int fd_tells(long fd)
{
    return fd >= 0 && reads_secret(fd);
}

/* By open where the policy has it, else by openat. */
static inline long open_path(const char *path, long flags)
{
    long fd = raw(SYS_open, path, flags, 0600);

    return fd < 0 ? raw(SYS_openat, AT_FDCWD, path, flags, 0600) : fd;
}

static inline int path_tells(const char *path)
{
    return fd_tells(open_path(path, O_RDONLY | O_NONBLOCK));
}

/* Bytes that the canary holds, or -errno: a policy may let it be looked at. Natively, to be put back. */
static char canary_bytes[4096];
static long canary_length;

static inline void canary_remember(void)
{
    long fd = open_path(canary(), O_RDONLY);

    canary_length = raw(SYS_read, fd, canary_bytes, sizeof canary_bytes);
    raw(SYS_close, fd);
}

/* Natively only: as it was before. */
static inline void canary_restore(void)
{
    long fd = open_path(canary(), O_WRONLY | O_CREAT | O_TRUNC);

    raw(SYS_write, fd, canary_bytes, canary_length);
    raw(SYS_close, fd);
}

/* A copy of this program at `path`, writable by its owner; false where none can be made. */
static inline int copy_self(const char *path)
{
    static char bytes[65536];
    long from = open_path(own_path(), O_RDONLY), to, got;

    raw(SYS_unlink, path);
    to = open_path(path, O_WRONLY | O_CREAT);
    while (to >= 0 && (got = raw(SYS_read, from, bytes, sizeof bytes)) > 0)
        raw(SYS_write, to, bytes, got);
    raw(SYS_close, from);
    raw(SYS_close, to);
    return to >= 0;
}

/* True where a byte can be written at the end of `fd`, which need not be the canary itself. Takes -errno too. */
static inline int fd_takes(long fd)
{
    long got;

    if (fd < 0)
        return 0;
    raw(SYS_lseek, fd, 0, SEEK_END);
    got = raw(SYS_write, fd, "!", 1);
    raw(SYS_close, fd);
    return got == 1;
}

#endif
