/* Images that no path names: a memfd and an open file by execveat with AT_EMPTY_PATH, by fexecve's /proc/self/fd, and
 * a `#!` script in a memfd. A sandbox that checks the path of execve only lets such an image run unwatched. Natively
 * each runs and reaches the victim. Here execveat is refused, and whatever execve starts stays under filter and
 * supervisor.
 * class: 73
 * contained: errno
 * ways: 6
 * build: musl */
#include "lib/files.h"

static long fd;
static char fd_path[32];
static char *by_path[] = {fd_path, "native", "probe", NULL};

static char **arguments(void)
{
    by_path[1] = natively ? "native" : "probe";
    by_path[2] = natively ? "probe" : NULL;
    return by_path;
}

static long by_execveat(void *unused)
{
    (void)unused;
    raw(SYS_execveat, fd, "", arguments(), environ, AT_EMPTY_PATH);
    return 0;
}

static long by_proc(void *unused)
{
    (void)unused;
    raw(SYS_execve, fd_path, arguments(), environ);
    return 0;
}

/* An image in our own place, where no child can be made: returns only where it is refused. */
static int runs_in(long (*fn)(void *))
{
    long pid = spawn_child(fn, NULL);

    if (pid == -ENOSYS)
        fn(NULL);
    return exited_with(wait_for(pid), GOT_THROUGH);
}

static long memfd_of(const char *text)
{
    static char bytes[65536];
    long from = text ? -1 : open_path(own_path(), O_RDONLY), to = raw(SYS_memfd_create, "image", 0), got;

    if (to < 0)
        return from;
    if (text)
        raw(SYS_write, to, text, strlen(text));
    else
        while ((got = raw(SYS_read, from, bytes, sizeof bytes)) > 0)
            raw(SYS_write, to, bytes, got);
    raw(SYS_close, from);
    return to;
}

static void try_both(long from, const char *at_empty, const char *proc)
{
    fd = from;
    path_join(fd_path, "/proc/self/fd/", decimal(fd));
    way(runs_in(by_execveat), at_empty);
    way(runs_in(by_proc), proc);
}

int main(int argc, char **argv)
{
    static char script[PATH_SIZE + 16];

    attack_start(argc, argv);
    if (has_word(argv, "probe"))
        leave(reaches_victim() ? GOT_THROUGH : 0);
    try_both(open_path(own_path(), O_RDONLY), "execveat of an open file", "execve of /proc/self/fd");
    try_both(memfd_of(NULL), "execveat of a memfd", "execve of a memfd by /proc/self/fd");
    path_join(script, "#!", own_path());
    path_join(script + strlen(script), natively ? " native\n" : " probe\n", "");
    try_both(memfd_of(script), "execveat of a script in a memfd", "execve of a script in a memfd");
    ways_end("images without a path");
}
