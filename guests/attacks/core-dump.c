/* A crash makes the kernel write a file, or start a program as root outside of everything that is confined
 * (core(5): a core_pattern that begins with `|` ignores a RLIMIT_CORE of 0, but not one of 1). The guest raises its
 * limit where it may, or lowers it to 0 where a pipe waits, and a child of it dies by SIGSEGV. Natively a core is
 * dumped. Here the limit stays what it is, and the child's status says that nothing was dumped.
 * class: 127
 * contained: errno
 * ways: 2
 * build: musl */
#include <sys/resource.h>

#include "lib/files.h"

static int has_pipe(void)
{
    long fd = open_path("/proc/sys/kernel/core_pattern", O_RDONLY);
    char first = 0;

    raw(SYS_read, fd, &first, 1);
    raw(SYS_close, fd);
    return first == '|';
}

/* Whether it is another one afterwards, whatever the calls say. */
static int set_limit(unsigned long wanted)
{
    struct rlimit limit = {wanted, wanted}, now = {1, 1};

    raw(SYS_setrlimit, RLIMIT_CORE, &limit);
    raw(SYS_prlimit64, 0, RLIMIT_CORE, &limit, NULL);
    raw(SYS_prlimit64, 0, RLIMIT_CORE, &limit, &now);
    raw(SYS_getrlimit, RLIMIT_CORE, &now);
    return now.rlim_cur != 1 && now.rlim_cur == wanted;
}

static long crash(void *unused)
{
    (void)unused;
    if (has_pipe())
        set_limit(0);
    raw(SYS_chdir, work_dir());
    raw(SYS_kill, raw(SYS_getpid), SIGSEGV);
    for (;;)
        *(volatile int *)8 = 1;
}

static void remove_core(long pid)
{
    static char path[PATH_SIZE];

    raw(SYS_unlink, in_work(path, "core"));
    path_join(path + strlen(path), ".", decimal(pid));
    raw(SYS_unlink, path);
}

int main(int argc, char **argv)
{
    struct rlimit now = {0, 0};
    long pid, status;

    attack_start(argc, argv);
    raw(SYS_getrlimit, RLIMIT_CORE, &now);
    if (natively) {
        set_limit(now.rlim_max);
        not_natively("a higher RLIMIT_CORE", "the hard limit is taken as it is");
    } else {
        way(set_limit(RLIM_INFINITY), "a higher RLIMIT_CORE");
    }
    pid = spawn_child(crash, NULL);
    if (pid < 0)
        unreached("no second task that could crash");
    status = wait_for(pid);
    remove_core(pid);
    if (!killed_by(status, SIGSEGV))
        fail("the child has wait status %lx, want death by SIGSEGV", (unsigned long)status);
    way(WCOREDUMP((int)status), "a core dump");
    if (natively && !ways_open)
        cannot("the hard limit of RLIMIT_CORE is 0, or core_pattern is not for this directory");
    ways_end("core dumps");
}
