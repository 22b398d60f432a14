/* New namespaces: by clone, by unshare, by entering those of other processes (setns), by clone3. In a user namespace of
 * its own the guest would have every capability. Natively at least the user namespace is given, unless the system
 * forbids it. Here all are refused.
 * class: 50
 * contained: errno
 * ways: 5
 * build: musl */
#include <fcntl.h>
#include <linux/sched.h>

#include "lib/tasks.h"

enum { NEWTIME = 0x80 };

static const unsigned long kinds[] = {
    CLONE_NEWUSER, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
    CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP, NEWTIME,
};
static const char *const names[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};

static void try_clone(unsigned long kind)
{
    static _Alignas(4096) struct clone_args args;
    long pid = kind == NEWTIME ? -1 : raw(SYS_clone, kind | SIGCHLD);

    if (pid == 0)
        leave(0);
    unless_refused(pid, "clone into a new namespace");
    args = (struct clone_args){.flags = kind, .exit_signal = SIGCHLD};
    pid = raw(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        leave(0);
    unless_refused(pid, "clone3 into a new namespace");
}

static void try_setns(const char *name)
{
    static char path[64];
    long fd;

    strcpy(path, "/proc/self/ns/");
    fd = raw(SYS_open, strcat(path, name), O_RDONLY);
    unless_refused(fd < 0 ? fd : raw(SYS_setns, fd, 0), "setns");
    fd = raw(SYS_pidfd_open, raw(SYS_getppid), 0);
    unless_refused(fd < 0 ? fd : raw(SYS_setns, fd, CLONE_NEWNET | CLONE_NEWNS), "setns through a pidfd");
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    /* Before there are others, in which those of our parent could not be entered. */
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        try_setns(names[i]);
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        unless_refused(raw(SYS_unshare, kinds[i]), "unshare");
        try_clone(kinds[i]);
    }
    if (natively)
        cannot("this system gives no namespaces");
    contained("no new namespace, and none of others");
}
