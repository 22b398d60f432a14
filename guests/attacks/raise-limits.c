/* Limits raised by whom they bind: each resource, soft above hard and hard above itself, by setrlimit and prlimit64,
 * on this process, on a child and in a child on its parent. Natively root raises any. Here a hard limit stays, since
 * no capability is left (CAP_SYS_RESOURCE) and another process's limits are out of reach.
 * class: 133
 * contained: errno
 * ways: 2
 * build: musl */
#include <sys/resource.h>

#include "lib/ways.h"

enum { RESOURCES = 16 };

static const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

static struct rlimit limit_of(long pid, long resource)
{
    struct rlimit now = {RLIM_INFINITY, RLIM_INFINITY};

    if (pid || raw(SYS_getrlimit, resource, &now) < 0)
        raw(SYS_prlimit64, pid, resource, NULL, &now);
    return now;
}

static int is_raised(long pid, long resource, struct rlimit before)
{
    struct rlimit now = limit_of(pid, resource);

    return now.rlim_max > before.rlim_max || now.rlim_cur > before.rlim_max;
}

static int raises(long pid, long resource)
{
    struct rlimit before = limit_of(pid, resource), above = {before.rlim_max + 1, before.rlim_max + 1};

    if (before.rlim_max == RLIM_INFINITY)
        return 0;
    raw(SYS_prlimit64, pid, resource, &unlimited, NULL);
    raw(SYS_prlimit64, pid, resource, &above, NULL);
    if (!pid)
        raw(SYS_setrlimit, resource, &unlimited);
    return is_raised(pid, resource, before);
}

static long in_child(void *unused)
{
    long parent = raw(SYS_getppid);

    (void)unused;
    for (long resource = 0; resource < RESOURCES; resource++)
        if (raises(0, resource) || (!natively && raises(parent, resource)))
            return GOT_THROUGH;
    return 0;
}

int main(int argc, char **argv)
{
    struct rlimit few = {64, 64};

    attack_start(argc, argv);
    if (natively)
        raw(SYS_setrlimit, RLIMIT_NOFILE, &few);
    for (long resource = 0; resource < RESOURCES; resource++)
        way(raises(0, resource), "a limit of its own");
    way(exited_with(wait_for(spawn_child(in_child, NULL)), GOT_THROUGH), "a limit in a child");
    if (natively && !ways_open)
        cannot("only root (CAP_SYS_RESOURCE) raises a hard limit");
    ways_end("limits raised");
}
