/* Newer twins of calls that a policy decides: openat2 for open, clone3 for fork, execveat for execve, fchmodat2 for
 * chmod, setxattrat, file_setattr, pidfd_send_signal for kill, process_madvise. A policy that forgot one lets it pass.
 * Natively they are answered. Here a call that a policy does not name is refused.
 * class: 14
 * contained: errno
 * ways: 9
 * build: musl */
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>

#include "lib/tasks.h"

enum {
    NR_CLONE3 = 435, NR_OPENAT2 = 437, NR_PROCESS_MADVISE = 440, NR_FCHMODAT2 = 452, NR_SETXATTRAT = 463,
    NR_REMOVEXATTRAT = 466, NR_FILE_SETATTR = 469, COLD = 20
};

static void try_clone3(void)
{
    struct clone_args args = {.exit_signal = SIGCHLD};
    long pid = raw(NR_CLONE3, &args, sizeof args);

    if (pid == 0)
        leave(0);
    unless_refused(pid, "clone3");
}

int main(int argc, char **argv)
{
    struct open_how how = {.flags = O_WRONLY | O_TRUNC};
    struct { unsigned long value; unsigned size, flags; } attribute = {(unsigned long)"x", 1, 0};
    unsigned long attributes[3] = {0};
    char *words[] = {argv[0], NULL};
    struct { unsigned long base, length; } range = {victim_cookie() & ~4095UL, 4096};
    long fd;

    attack_start(argc, argv);
    unless_refused(raw(NR_OPENAT2, AT_FDCWD, canary(), &how, sizeof how), "openat2 for writing outside");
    try_clone3();
    unless_refused(raw(NR_FCHMODAT2, AT_FDCWD, canary(), 0600, 0), "fchmodat2 outside");
    unless_refused(raw(NR_SETXATTRAT, AT_FDCWD, canary(), 0, "user.x", &attribute, sizeof attribute), "setxattrat outside");
    unless_refused(raw(NR_REMOVEXATTRAT, AT_FDCWD, canary(), 0, "user.x"), "removexattrat outside");
    unless_refused(raw(NR_FILE_SETATTR, AT_FDCWD, canary(), attributes, sizeof attributes, 0), "file_setattr outside");
    fd = raw(SYS_open, joined("/proc/", victim_text()), O_RDONLY | O_DIRECTORY);
    unless_refused(raw(NR_PROCESS_MADVISE, raw(SYS_pidfd_open, victim(), 0), &range, 1, COLD, 0), "process_madvise");
    unless_refused(raw(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), "pidfd_send_signal through /proc/PID");
    not_natively("execveat", "the program would start anew");
    if (!natively)
        unless_refused(raw(SYS_execveat, AT_FDCWD, argv[0], words, words + 1, 0), "execveat");
    contained("every newer twin is refused");
}
