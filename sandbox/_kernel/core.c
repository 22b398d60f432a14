/* The C core: mechanism without decisions. See calls.py for the typed face and what each promises, and build.py for the
 * parts, of which this is the first: what all of them need, and the supervisor's own process.
 *
 * Everything the child runs between fork and execve stands in child_main() and what it calls, and is
 * async-signal-safe: the parent is a Python process and may hold any lock at the fork.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core.h"

/* x86-64 numbers since Linux 5.13; the C library's headers may be older. */
enum { SYS_LANDLOCK_CREATE_RULESET = 444, SYS_LANDLOCK_ADD_RULE = 445, SYS_LANDLOCK_RESTRICT_SELF = 446 };

enum { SB_NONE = 0, SB_STATUS = 1, SB_SIGNAL = 2, SB_DEADLINE = 3 };

enum {
    STEP_PIPE = 1, STEP_FORK, STEP_SEIZE, STEP_SIGNALS, STEP_CLOSE, STEP_CHDIR, STEP_LIMIT,
    STEP_NO_NEW_PRIVS, STEP_FILTER, STEP_EXEC, STEP_DIED, STEP_WAIT, STEP_UNSHARE, STEP_USER, STEP_CAPABILITIES,
    STEP_LANDLOCK, STEP_MAPS, STEP_OTHER_FILTER, STEP_TERMINAL,
};

static const char *const step_names[] = {
    [STEP_PIPE] = "pipe2", [STEP_FORK] = "fork", [STEP_SEIZE] = "ptrace(PTRACE_SEIZE)",
    [STEP_SIGNALS] = "rt_sigprocmask", [STEP_CLOSE] = "close_range", [STEP_CHDIR] = "fchdir",
    [STEP_LIMIT] = "setrlimit", [STEP_NO_NEW_PRIVS] = "prctl(PR_SET_NO_NEW_PRIVS)",
    [STEP_FILTER] = "seccomp(SECCOMP_SET_MODE_FILTER)", [STEP_EXEC] = "execve",
    [STEP_DIED] = "the child died before its execve", [STEP_WAIT] = "wait4",
    [STEP_UNSHARE] = "unshare", [STEP_USER] = "setresuid", [STEP_CAPABILITIES] = "capset",
    [STEP_LANDLOCK] = "landlock_restrict_self", [STEP_MAPS] = "user namespace maps",
    [STEP_OTHER_FILTER] = "a filter around the sandbox traces its calls", [STEP_TERMINAL] = "setsid",
};

#define SEIZE_OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
    PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)

/* How the output pump ends when the limit is passed, or when it could not begin. */
enum { PUMP_PASSED = 99, PUMP_FAILED = 98 };

/* How long output that nobody reads may hold up the end of a run after a limit was passed. */
#define OUTPUT_NS 500000000

/* How often control signals are looked for where stops come without end, whatever each of them takes. */
#define LOOK_NS 1000000

static sigset_t original_mask, waited_set, control_set;
static struct sigaction original_chld;
static int prepared;
static int64_t looked_ns;

static long request(long what, int pid, unsigned long address, unsigned long data)
{
    return syscall(SYS_ptrace, what, (long)pid, address, data);
}

/* ---- the supervisor's own process ---- */

/* hang_up: whether SIGIO is a control signal, too, whatever our caller does with it. */
int sb_prepare(int hang_up)
{
    static const int controls[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    struct sigaction old, standard = { .sa_handler = SIG_DFL };
    sigset_t blocked;

    if (prepared)
        return 0;
    if (sigprocmask(SIG_BLOCK, NULL, &original_mask) < 0)
        return -errno;
    sigemptyset(&control_set);
    /* What our caller ignores (nohup) or blocks is not meant for us. A blocked signal would be queued even
     * where it is ignored. */
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
        if (sigaction(controls[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN &&
            !sigismember(&original_mask, controls[i]))
            sigaddset(&control_set, controls[i]);
    if (hang_up)
        sigaddset(&control_set, SIGIO);
    waited_set = control_set;
    sigaddset(&waited_set, SIGCHLD);
    /* A guest that took the terminal's foreground must not stop us when we write a line to it. */
    blocked = waited_set;
    sigaddset(&blocked, SIGTTOU);
    if (sigprocmask(SIG_BLOCK, &blocked, NULL) < 0)
        return -errno;
    /* An inherited SIG_IGN would let the kernel reap our children before we see how they ended. */
    if (sigaction(SIGCHLD, &standard, &original_chld) < 0)
        return -errno;
    /* Orphaned guests come to us, who reap them, and not to whatever runs as pid 1. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return -errno;
    prepared = 1;
    return 0;
}

/* Whether a control signal waits to be taken. */
int sb_control_pending(void)
{
    sigset_t pending;

    if (sigpending(&pending) < 0)
        return -errno;
    for (int signo = 1; signo < NSIG; signo++)
        if (sigismember(&control_set, signo) == 1 && sigismember(&pending, signo) == 1)
            return 1;
    return 0;
}

/* An undumpable process cannot be traced, nor its /proc entries opened, by an ordinary user's guest. */
int sb_protect(void)
{
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

/* What kind of file system a path lies on: f_type of statfs(2). */
int64_t sb_file_system(const char *path)
{
    struct statfs facts;

    return statfs(path, &facts) < 0 ? -errno : (int64_t)facts.f_type;
}
