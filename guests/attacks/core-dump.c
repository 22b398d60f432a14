/* A crash makes the kernel write a file, or start a program as root outside of everything that is confined
 * (core(5): a core_pattern that begins with `|` ignores a RLIMIT_CORE of 0, but not one of 1). The guest raises its
 * limit where it may, and a child of it dies by SIGSEGV. Natively a core is dumped. Here the limit cannot be raised,
 * and the child's status says that nothing was dumped.
 * class: 127
 * contained: errno
 * build: musl */
#include <sys/resource.h>

#include "lib/files.h"

static long crash(void *unused)
{
    (void)unused;
    raw(SYS_chdir, work_dir());
    raw(SYS_kill, raw(SYS_getpid), SIGSEGV);
    for (;;)
        *(volatile int *)8 = 1;
}

static int has_pipe(void)
{
    long fd = open_path("/proc/sys/kernel/core_pattern", O_RDONLY);
    char first = 0;

    raw(SYS_read, fd, &first, 1);
    raw(SYS_close, fd);
    return first == '|';
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
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY}, now = {0, 0};
    long pid, status;

    attack_start(argc, argv);
    raw(SYS_getrlimit, RLIMIT_CORE, &now);
    all.rlim_cur = natively ? now.rlim_max : RLIM_INFINITY;
    all.rlim_max = all.rlim_cur;
    way(raw(SYS_setrlimit, RLIMIT_CORE, &all) == 0 && !natively, "setrlimit of RLIMIT_CORE");
    way(raw(SYS_prlimit64, 0, RLIMIT_CORE, &all, NULL) == 0 && !natively, "prlimit64 of RLIMIT_CORE");
    pid = spawn_child(crash, NULL);
    if (pid < 0)
        contained("no second task that could crash");
    status = wait_for(pid);
    remove_core(pid);
    if (!killed_by(status, SIGSEGV))
        fail("the child has wait status %lx, want death by SIGSEGV", (unsigned long)status);
    way(WCOREDUMP((int)status), has_pipe() ? "a core given to a program of root's" : "a core file");
    if (natively && !ways_open)
        cannot("the hard limit of RLIMIT_CORE is 0, or core_pattern is not for this directory");
    ways_end("core dumps");
}
