/* Chooses the number of its next child (clone3's set_tid, or the kernel's last number), to be given one that a decision
 * of the supervisor still means for somebody else. Natively it needs CAP_CHECKPOINT_RESTORE. Here clone3 is refused,
 * and the kernel's settings cannot be written.
 * class: 68
 * contained: errno
 * ways: 2
 * build: musl */
#include <fcntl.h>
#include <linux/sched.h>

#include "lib/tasks.h"

static long free_number(void)
{
    long pid = raw(SYS_getpid) + 3000;

    while (raw(SYS_kill, pid, 0) != -ESRCH)
        pid++;
    return pid;
}

int main(int argc, char **argv)
{
    static struct clone_args args;
    static int wanted;
    long fd, pid;

    attack_start(argc, argv);
    wanted = natively ? (int)free_number() : (int)raw(SYS_getpid) + 3000;
    args = (struct clone_args){.exit_signal = SIGCHLD, .set_tid = (unsigned long)&wanted, .set_tid_size = 1};
    pid = raw(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        leave(0);
    if (pid > 0)
        wait_for(pid);
    unless_refused(pid, "clone3(set_tid)");
    fd = raw(SYS_open, "/proc/sys/kernel/ns_last_pid", O_RDWR);
    not_natively("write to ns_last_pid", "that is the whole machine's");
    if (!natively)
        unless_refused(fd < 0 ? fd : raw(SYS_write, fd, "300", 3), "write to ns_last_pid");
    if (natively)
        cannot("choosing a pid needs CAP_CHECKPOINT_RESTORE: errno %ld", -pid);
    contained("no number can be chosen: errno %ld", -pid);
}
