/* Every way to send a signal out of the sandbox but plain kill of one process: to everybody, to a group, to one
 * thread, with a value, by a pidfd, by the /proc directory that is as good as one, and by asking the kernel to signal
 * a process when a descriptor becomes readable. Natively they arrive (SIGCONT, which does no harm). Here the
 * supervisor looks at whom a signal is for, and the last ways are refused by rules on pidfd_send_signal and fcntl.
 * class: 84
 * contained: errno
 * ways: 18
 * build: musl */
#include "lib/files.h"

static void by_number(long pid)
{
    siginfo_t info = {.si_signo = SIGCONT, .si_code = SI_QUEUE};

    way(raw(SYS_kill, pid, SIGCONT) == 0, "kill");
    way(raw(SYS_kill, pid | 0x7fffffff00000000, SIGCONT) == 0, "kill with high bits in the pid");
    way(raw(SYS_tkill, pid, SIGCONT) == 0, "tkill");
    way(raw(SYS_tgkill, pid, pid, SIGCONT) == 0, "tgkill");
    way(raw(SYS_rt_sigqueueinfo, pid, SIGCONT, &info) == 0, "rt_sigqueueinfo");
    way(raw(SYS_rt_tgsigqueueinfo, pid, pid, SIGCONT, &info) == 0, "rt_tgsigqueueinfo");
}

static void by_descriptor(long pid)
{
    static char path[64];
    long fd = raw(SYS_pidfd_open, pid, 0), directory;

    way(fd >= 0, "pidfd_open");
    way(raw(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0) == 0, "pidfd_send_signal");
    path_join(path, "/proc/", decimal(pid));
    directory = open_path(path, O_RDONLY | O_DIRECTORY);
    way(raw(SYS_pidfd_send_signal, directory, SIGCONT, NULL, 0) == 0, "pidfd_send_signal by a /proc directory");
    raw(SYS_close, fd);
    raw(SYS_close, directory);
}

/* Not to everybody natively: that would be all of the user's processes. */
static void by_group(long pid)
{
    way(raw(SYS_kill, -raw(SYS_getpgid, pid), SIGCONT) == 0, "kill of the victim's group");
    way(raw(SYS_kill, -pid, SIGCONT) == 0, "kill of the group the victim leads");
    not_natively("kill of everybody", "that is every process of the user");
    not_natively("kill of everybody, unsigned", "that is every process of the user");
    if (natively)
        return;
    way(raw(SYS_kill, -1, SIGCONT) == 0, "kill of everybody");
    way(raw(SYS_kill, 0xffffffff, SIGCONT) == 0, "kill of everybody, unsigned");
}

static void by_owner(long pid)
{
    struct {
        int type, pid;
    } owner = {1 /* F_OWNER_PID */, (int)pid};
    int ends[2] = {-1, -1};

    raw(SYS_pipe, ends);
    way(raw(SYS_fcntl, ends[0], F_SETOWN, pid) == 0, "the victim as a pipe's owner");
    way(raw(SYS_fcntl, ends[0], 15 /* F_SETOWN_EX */, &owner) == 0, "the victim as a pipe's owner, F_SETOWN_EX");
    way(raw(SYS_fcntl, ends[0], F_SETOWN, -pid) == 0, "the victim's group as a pipe's owner");
    /* These two know sockets only. */
    raw(SYS_close, ends[0]);
    raw(SYS_socketpair, 1 /* AF_UNIX */, 1 /* SOCK_STREAM */, 0, ends);
    way(raw(SYS_ioctl, ends[0], 0x8901 /* FIOSETOWN */, (int[]){(int)pid}) == 0, "FIOSETOWN");
    way(raw(SYS_ioctl, ends[0], 0x8902 /* SIOCSPGRP */, (int[]){(int)pid}) == 0, "SIOCSPGRP");
}

/* The supervisor's group, which is the guest's own at first, is answered for the guests in it. SIGUSR1, which the guest
 * ignores, ends a supervisor that it reaches; the harness sees that. */
static void by_supervisors_group(void)
{
    long group = raw(SYS_getpgid, supervisor());

    signal(SIGUSR1, SIG_IGN);
    if (group > 1)
        raw(SYS_kill, -group, SIGUSR1);
    raw(SYS_kill, 0, SIGUSR1);
    raw(SYS_setpgid, 0, 0);
    raw(SYS_setpgid, 0, group);
    raw(SYS_kill, 0, SIGUSR1);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    by_number(victim());
    by_descriptor(victim());
    by_group(victim());
    by_owner(victim());
    if (!natively)
        by_supervisors_group();
    ways_end("signals to others");
}
