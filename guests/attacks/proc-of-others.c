/* The files of /proc/PID that show or give what belongs to a process: memory, environment, maps, descriptors, root and
 * working directory; of the victim, of the supervisor and of the supervisor's thread. Natively the victim's can all be
 * had. Here Landlock forbids them to a process outside its domain, the supervisor is undumpable besides, and a policy
 * may leave out /proc altogether.
 * class: 89
 * contained: errno
 * ways: 17
 * build: musl */
#include "lib/files.h"

static const char *const to_read[] = {"environ", "maps", "smaps", "auxv", "fdinfo/0", "syscall", "stack"};
static const char *const to_follow[] = {"root", "cwd", "exe", "fd/0", "fd/1", "ns/user"};

static long read_from(const char *path)
{
    static char bytes[4096];
    long fd = open_path(path, O_RDONLY | O_NONBLOCK), got;

    if (fd < 0)
        return fd;
    got = raw(SYS_read, fd, bytes, sizeof bytes);
    if (got == -EISDIR)
        got = raw(SYS_getdents64, fd, bytes, sizeof bytes);
    raw(SYS_close, fd);
    return got;
}

static void try_memory(const char *base)
{
    static char path[PATH_SIZE], bytes[32];
    long fd;

    path_join(path, base, "/mem");
    way((fd = open_path(path, O_RDONLY)) >= 0, "/proc/PID/mem");
    raw(SYS_pread64, fd, bytes, sizeof bytes, victim_cookie());
    way(holds(bytes, sizeof bytes, COOKIE_MARK), "the victim's cookie");
    raw(SYS_close, fd);
    not_natively("/proc/PID/mem, to write", "the victim's memory would be at stake");
    if (!natively)
        way(fd_takes(open_path(path, O_WRONLY)), "/proc/PID/mem, to write");
}

/* By "/proc/PID" and its like. */
static void try_all(const char *base)
{
    static char path[PATH_SIZE], target[PATH_SIZE];

    path_join(target, base, "/");
    for (unsigned i = 0; i < sizeof to_read / sizeof *to_read; i++) {
        path_join(path, target, to_read[i]);
        way(read_from(path) > 0, joined("/proc/PID/", to_read[i]));
    }
    for (unsigned i = 0; i < sizeof to_follow / sizeof *to_follow; i++) {
        static char link[256];

        path_join(path, target, to_follow[i]);
        way(raw(SYS_readlink, path, link, sizeof link) > 0, joined("/proc/PID/", to_follow[i]));
    }
    path_join(path, target, "root");
    path_join(path + strlen(path), secret(), "");
    way(path_tells(path), "the secret below /proc/PID/root");
    try_memory(base);
}

int main(int argc, char **argv)
{
    static char base[PATH_SIZE];
    long others[] = {victim(), supervisor()};

    attack_start(argc, argv);
    for (int i = 0; i < (natively ? 1 : 2); i++) {
        path_join(base, "/proc/", decimal(others[i]));
        try_all(base);
        path_join(base + strlen(base), "/task/", decimal(others[i]));
        try_all(base);
        path_join(base, "/proc/self/../", decimal(others[i]));
        try_all(base);
    }
    ways_end("/proc files of other processes");
}
