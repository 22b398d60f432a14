/* The resources of another process: its limits, its priority, its CPUs, its scheduling, its chance to be killed when
 * memory is short; also of all processes of the user or group at once. Natively the victim's can be set (to what they
 * are). Here each such call is refused for any process but the caller's own.
 * class: 91
 * contained: errno
 * ways: 16
 * build: musl */
#include <sys/resource.h>

#include "lib/files.h"

/* From linux/ioprio.h: three words that glibc and musl leave out. */
enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_WHO_PGRP = 2, IOPRIO_WHO_USER = 3 };

static void try_limits(long pid)
{
    struct rlimit old = {0}, new;

    way(raw(SYS_prlimit64, pid, RLIMIT_CORE, NULL, &old) == 0, "another process's limit read");
    new = natively ? old : (struct rlimit){0, 0};
    way(raw(SYS_prlimit64, pid, RLIMIT_CORE, &new, NULL) == 0, "another process's limit set");
    way(raw(SYS_prlimit64, pid | 1L << 32, RLIMIT_CORE, &new, NULL) == 0, "the same with high bits in the pid");
}

static void try_scheduling(long pid)
{
    unsigned long cpus[128] = {0};
    int parameter = 0;
    long nice = natively ? 0 : 5;

    way(raw(SYS_setpriority, PRIO_PROCESS, pid, nice) == 0, "setpriority of a process");
    raw(SYS_sched_getaffinity, natively ? pid : 0, sizeof cpus, cpus);
    way(raw(SYS_sched_setaffinity, pid, sizeof cpus, cpus) == 0, "sched_setaffinity");
    way(raw(SYS_sched_setscheduler, pid, natively ? 0 : 3 /* SCHED_BATCH */, &parameter) == 0, "sched_setscheduler");
    way(raw(SYS_sched_setparam, pid, &parameter) == 0, "sched_setparam");
    way(raw(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, natively ? 0 : 3 << 13) == 0, "ioprio_set");
    way(raw(SYS_migrate_pages, pid, 8, cpus, cpus) >= 0, "migrate_pages");
}

/* Natively these would change more than the victim. */
static void try_many(void)
{
    static const char *const many[] = {
        "setpriority of a group", "setpriority of a user", "ioprio_set of a group", "ioprio_set of a user",
    };

    for (unsigned i = 0; i < sizeof many / sizeof *many; i++)
        not_natively(many[i], "that is more than the victim");
    if (natively)
        return;
    way(raw(SYS_setpriority, PRIO_PGRP, raw(SYS_getpgid, victim()), 5) == 0, "setpriority of a group");
    way(raw(SYS_setpriority, PRIO_USER, 0, 5) == 0, "setpriority of a user");
    way(raw(SYS_ioprio_set, IOPRIO_WHO_PGRP, raw(SYS_getpgid, victim()), 3 << 13) == 0, "ioprio_set of a group");
    way(raw(SYS_ioprio_set, IOPRIO_WHO_USER, raw(SYS_getuid), 3 << 13) == 0, "ioprio_set of a user");
}

static void try_proc(const char *name, const char *value)
{
    static char path[PATH_SIZE];
    long fd;

    path_join(path, "/proc/", victim_text());
    path_join(path + strlen(path), "/", name);
    fd = open_path(path, O_WRONLY);
    way(fd >= 0 && (natively || raw(SYS_write, fd, value, strlen(value)) > 0), joined("/proc/PID/", name));
    raw(SYS_close, fd);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    try_limits(victim());
    try_scheduling(victim());
    try_proc("oom_score_adj", "1000");
    try_proc("comm", "attacked");
    try_proc("coredump_filter", "0");
    if (!natively) {
        try_limits(supervisor());
        try_scheduling(supervisor());
    }
    try_many();
    ways_end("resources of others");
}
