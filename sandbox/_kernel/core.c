/* The C core: mechanism without decisions. See calls.py for the typed face and what each promises.
 *
 * Everything the child runs between fork and execve stands in child_main() and what it calls, and is
 * async-signal-safe: the parent is a Python process and may hold any lock at the fork.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
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
    [STEP_SIGNALS] = "rt_sigprocmask", [STEP_CLOSE] = "close_range", [STEP_CHDIR] = "chdir",
    [STEP_LIMIT] = "setrlimit", [STEP_NO_NEW_PRIVS] = "prctl(PR_SET_NO_NEW_PRIVS)",
    [STEP_FILTER] = "seccomp(SECCOMP_SET_MODE_FILTER)", [STEP_EXEC] = "execve",
    [STEP_DIED] = "the child died before its execve", [STEP_WAIT] = "wait4",
    [STEP_UNSHARE] = "unshare", [STEP_USER] = "setresuid", [STEP_CAPABILITIES] = "capset",
    [STEP_LANDLOCK] = "landlock_restrict_self", [STEP_MAPS] = "user namespace maps",
    [STEP_OTHER_FILTER] = "a filter around the sandbox traces its calls", [STEP_TERMINAL] = "setsid",
};

#define SEIZE_OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
    PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)

/* How the output pump ends when the limit is passed. */
enum { PUMP_PASSED = 99 };

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

/* ---- launch: the child's side ---- */

static _Noreturn void child_fail(int report, int step)
{
    sb_failure failure = { .step = step, .error = errno };

    (void)!write(report, &failure, sizeof failure);
    _exit(125);
}

/* Signal dispositions and mask as the supervisor was started with; Python changes some at start-up. */
static int child_signals(void)
{
    struct sigaction old, standard = { .sa_handler = SIG_DFL };

    for (int signo = 1; signo < 65; signo++) {
        if (sigaction(signo, NULL, &old) < 0)
            continue;
        if (old.sa_handler != SIG_IGN || signo == SIGPIPE || signo == SIGXFSZ)
            sigaction(signo, &standard, NULL);
    }
    if (original_chld.sa_handler == SIG_IGN)
        sigaction(SIGCHLD, &original_chld, NULL);
    return sigprocmask(SIG_SETMASK, &original_mask, NULL);
}

/* close_range(2) with CLOSE_RANGE_CLOEXEC is from Linux 5.11; the report pipe must live until execve. */
static int child_descriptors(const int32_t *output, uint32_t closed)
{
    struct rlimit limit;

    for (int i = 0; i < 2; i++)
        if (output[i] >= 0 && dup2(output[i], i + 1) < 0)
            return -1;
    for (int fd = 0; fd < 3; fd++)
        if (closed & (1u << fd))
            close(fd);
    if (syscall(SYS_close_range, 3u, ~0u, 4u) == 0)
        return 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -1;
    for (rlim_t fd = 3; fd < limit.rlim_cur; fd++)
        fcntl((int)fd, F_SETFD, FD_CLOEXEC);
    return 0;
}

/* The controlling terminal, and not any other. (The controlling side of a pseudo-terminal answers for its session.) */
static int is_our_terminal(int fd)
{
    int32_t session;

    return ioctl(fd, TIOCGSID, &session) == 0 && session == getsid(0);
}

/* Without TIOCNOTTY, only a session of its own has none; but whoever is there misses Ctrl-Z, and runs on while the
 * supervisor stands still. A process that leads no session gives up the terminal for itself alone. */
static int child_terminal(void)
{
    int fd, given_up;

    for (fd = 0; fd < 3; fd++)
        if (is_our_terminal(fd))
            return 0;
    fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENXIO)
        return 0;
    given_up = fd >= 0 && ioctl(fd, TIOCNOTTY) == 0;
    if (fd >= 0)
        close(fd);
    return given_up || setsid() >= 0 ? 0 : -1;
}

static int child_write(const char *path, const char *text)
{
    size_t length = strlen(text);
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, length) != (ssize_t)length)
        return -1;
    return close(fd);
}

/* Who has no CAP_SETGID outside gives up setgroups(2) before a gid_map (user_namespaces(7)). */
static int child_maps(const sb_spec *spec)
{
    if (!spec->uid_map)
        return 0;
    if (child_write("/proc/self/setgroups", "deny") < 0 || child_write("/proc/self/uid_map", spec->uid_map) < 0)
        return -1;
    return child_write("/proc/self/gid_map", spec->gid_map);
}

static int child_limits(const sb_spec *spec)
{
    for (uint32_t i = 0; i < spec->limit_count; i++) {
        struct rlimit limit = { spec->limits[i].soft, spec->limits[i].hard };

        if (setrlimit(spec->limits[i].resource, &limit) < 0)
            return -1;
    }
    return 0;
}

static int child_user(const sb_spec *spec)
{
    if (!spec->change_user)
        return 0;
    if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, spec->gid, spec->gid, spec->gid) < 0)
        return -1;
    return (int)syscall(SYS_setresuid, spec->uid, spec->uid, spec->uid);
}

/* The bounding set first: an execve by uid 0 would fill the other sets from it (capabilities(7)). */
static int child_bounding_set(void)
{
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM)
            return -1;
    return 0;
}

static int child_capabilities(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return -1;
    return (int)syscall(SYS_capset, &header, none);
}

/* Whether it worked, the supervisor sees by looking; the run goes on without. It comes before any change of who
 * we are: the right to move is judged by credentials, at the open or (before Linux 5.16) at the write. */
static void child_cgroup(int procs)
{
    if (procs >= 0)
        (void)!write(procs, "0", 1);
}

static _Noreturn void child_main(const sb_spec *spec, int go, int report)
{
    struct sock_fprog program = { (unsigned short)spec->filter_length, (struct sock_filter *)spec->filter };
    char byte;

    if (read(go, &byte, 1) != 1)
        _exit(125);
    if (child_signals() < 0)
        child_fail(report, STEP_SIGNALS);
    child_cgroup(spec->cgroup);
    if (child_descriptors(spec->output, spec->closed) < 0)
        child_fail(report, STEP_CLOSE);
    if (child_terminal() < 0)
        child_fail(report, STEP_TERMINAL);
    if (spec->isolate && unshare(spec->isolate) < 0)
        child_fail(report, STEP_UNSHARE);
    if (child_maps(spec) < 0)
        child_fail(report, STEP_MAPS);
    if (child_limits(spec) < 0)
        child_fail(report, STEP_LIMIT);
    if (child_bounding_set() < 0)
        child_fail(report, STEP_CAPABILITIES);
    if (child_user(spec) < 0)
        child_fail(report, STEP_USER);
    if (child_capabilities() < 0)
        child_fail(report, STEP_CAPABILITIES);
    if (spec->cwd && chdir(spec->cwd) < 0)
        child_fail(report, STEP_CHDIR);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        child_fail(report, STEP_NO_NEW_PRIVS);
    if (spec->ruleset >= 0 && syscall(SYS_LANDLOCK_RESTRICT_SELF, spec->ruleset, 0) < 0)
        child_fail(report, STEP_LANDLOCK);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        child_fail(report, STEP_FILTER);
    syscall(SYS_execve, spec->path, spec->argv, spec->envp);
    child_fail(report, STEP_EXEC);
}

/* ---- launch: the supervisor's side ---- */

static int fail(sb_failure *failure, int step, int error)
{
    failure->step = step;
    failure->error = error;
    return -error;
}

static void fill_details(sb_event *event);

static void take_status(sb_event *event, int pid, int status, const struct rusage *usage)
{
    event->kind = SB_STATUS;
    event->pid = pid;
    event->status = status;
    event->error = 0;
    if (WIFSTOPPED(status)) {
        fill_details(event);
        return;
    }
    event->cpu_us = (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000LL +
                    usage->ru_utime.tv_usec + usage->ru_stime.tv_usec;
    event->maxrss_kb = usage->ru_maxrss;
}

static void discard(int pid)
{
    int status, got;

    kill(pid, SIGKILL);
    do {
        got = wait4(pid, &status, __WALL, NULL);
        if (got > 0 && WIFSTOPPED(status)) /* PTRACE_EVENT_EXIT */
            request(PTRACE_CONT, pid, 0, 0);
    } while (got > 0 ? WIFSTOPPED(status) : errno == EINTR);
}

/* Runs the child up to the seccomp stop of its execve, passing on whatever else stops it. A stop at another call is
 * that of a filter the caller had put around the sandbox. */
static int wait_for_exec(int pid, int report, sb_failure *failure, sb_event *event)
{
    for (;;) {
        struct rusage usage;
        int status, got = wait4(pid, &status, __WALL, &usage);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(failure, STEP_WAIT, errno);
        if (!WIFSTOPPED(status)) {
            if (read(report, failure, sizeof *failure) == (ssize_t)sizeof *failure)
                return -failure->error;
            failure->status = status;
            return fail(failure, STEP_DIED, ECHILD);
        }
        take_status(event, pid, status, &usage);
        if (status >> 16 == PTRACE_EVENT_SECCOMP) {
            if (event->error || event->nr == SYS_execve)
                return pid;
            discard(pid);
            return fail(failure, STEP_OTHER_FILTER, EPERM);
        }
        if (status >> 16 == PTRACE_EVENT_EXIT)
            request(PTRACE_CONT, pid, 0, 0);
        else if (status >> 16 == PTRACE_EVENT_STOP)
            request(WSTOPSIG(status) == SIGTRAP ? PTRACE_CONT : PTRACE_LISTEN, pid, 0, 0);
        else
            request(PTRACE_CONT, pid, 0, status >> 16 ? 0 : WSTOPSIG(status));
    }
}

static int seize_and_go(int pid, int go, int report, sb_failure *failure, sb_event *event)
{
    int result;

    if (request(PTRACE_SEIZE, pid, 0, SEIZE_OPTIONS | PTRACE_O_TRACEEXIT) < 0) {
        result = fail(failure, STEP_SEIZE, errno);
        discard(pid);
        return result;
    }
    if (write(go, "g", 1) != 1) {
        result = fail(failure, STEP_PIPE, errno);
        discard(pid);
        return result;
    }
    return wait_for_exec(pid, report, failure, event);
}

static void close_pair(const int *pair)
{
    close(pair[0]);
    close(pair[1]);
}

int sb_launch(const sb_spec *spec, sb_failure *failure, sb_event *event)
{
    int go[2], report[2], pid, result;

    memset(failure, 0, sizeof *failure);
    if (pipe2(go, O_CLOEXEC) < 0)
        return fail(failure, STEP_PIPE, errno);
    if (pipe2(report, O_CLOEXEC) < 0) {
        result = fail(failure, STEP_PIPE, errno);
        close_pair(go);
        return result;
    }
    pid = fork();
    if (pid == 0) {
        close(go[1]);
        close(report[0]);
        child_main(spec, go[0], report[1]);
    }
    close(report[1]);
    report[1] = -1;
    result = pid < 0 ? fail(failure, STEP_FORK, errno) : seize_and_go(pid, go[1], report[0], failure, event);
    close_pair(go);
    close(report[0]);
    return result;
}

const char *sb_step_name(int step)
{
    int known = step > 0 && step < (int)(sizeof step_names / sizeof *step_names);

    return known ? step_names[step] : "unknown step";
}

/* ---- waiting ---- */

/* struct ptrace_syscall_info (ptrace(2), Linux 5.3) as far as all kernels that have it agree. */
struct syscall_info {
    uint8_t op, pad[3];
    uint32_t arch;
    uint64_t ip, sp;
    union {
        struct { uint64_t nr, args[6]; } entry;
        struct { int64_t rval; uint8_t is_error; } exit;
    };
    uint64_t ret_data;
};

/* SIGKILL ends any stop. A task that is killed may stop once more on its way out (PTRACE_EVENT_EXIT), and the id of a
 * leader killed by another thread's execve stops for that (PTRACE_EVENT_EXEC); requests succeed there, and tell of that
 * stop instead. */
static long is_over(void)
{
    errno = ESRCH;
    return -1;
}

/* The si_code of a stop for an event (ptrace(2)). A guest may give its signals any si_code. */
static int is_event(int code)
{
    return (code & 0xff) == SIGTRAP && code >> 8;
}

/* Who really stopped again has another report to make. */
static int has_report(int pid)
{
    siginfo_t report = {0};

    return waitid(P_PID, (id_t)pid, &report, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 || report.si_pid == pid;
}

static long fill_syscall(sb_event *event)
{
    struct syscall_info info;
    long got;

    memset(&info, 0, sizeof info);
    got = request(PTRACE_GET_SYSCALL_INFO, event->pid, sizeof info, (unsigned long)&info);
    if (got < 0)
        return got;
    if (info.op == PTRACE_SYSCALL_INFO_NONE)
        return is_over();
    event->op = info.op;
    event->arch = info.arch;
    event->ip = info.ip;
    event->sp = info.sp;
    if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
        event->rval = info.exit.rval;
    } else {
        event->nr = info.entry.nr;
        memcpy(event->args, info.entry.args, sizeof event->args);
    }
    return 0;
}

static long fill_signal(sb_event *event)
{
    siginfo_t info;
    long got;

    memset(&info, 0, sizeof info);
    got = request(PTRACE_GETSIGINFO, event->pid, 0, (unsigned long)&info);
    event->signo = WSTOPSIG(event->status);
    event->code = info.si_code;
    event->sender = info.si_pid;
    return got >= 0 && is_event(info.si_code) && has_report(event->pid) ? is_over() : got;
}

static long fill_message(sb_event *event)
{
    unsigned long message = 0;
    long got = request(PTRACE_GETEVENTMSG, event->pid, 0, (unsigned long)&message);
    siginfo_t info;

    event->message = message;
    if (got < 0 || event->status >> 16 == PTRACE_EVENT_EXIT)
        return got;
    got = request(PTRACE_GETSIGINFO, event->pid, 0, (unsigned long)&info);
    return got >= 0 && info.si_code != event->status >> 8 ? is_over() : got;
}

static void fill_details(sb_event *event)
{
    int kind = event->status >> 16;
    long got = 0;

    event->op = 0;
    event->message = 0;
    if (kind == PTRACE_EVENT_SECCOMP || (!kind && WSTOPSIG(event->status) == (SIGTRAP | 0x80)))
        got = fill_syscall(event);
    else if (!kind)
        got = fill_signal(event);
    else if (kind != PTRACE_EVENT_STOP)
        got = fill_message(event);
    event->error = got < 0 ? errno : 0;
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int take_signal(sb_event *event, const siginfo_t *info)
{
    event->kind = SB_SIGNAL;
    /* Our host is gone: a hang-up, but one that does not go by what the host does with SIGHUP. */
    event->signo = info->si_signo == SIGIO ? SIGHUP : info->si_signo;
    event->code = info->si_code;
    event->sender = info->si_pid;
    return 0;
}

/* Control signals stay blocked, so none is lost between two looks: sigtimedwait(2) takes them. */
static int poll_control(sb_event *event, int64_t deadline_ns)
{
    struct timespec zero = { 0, 0 };
    siginfo_t info;

    if (sigtimedwait(&control_set, &info, &zero) > 0)
        return take_signal(event, &info), 1;
    if (deadline_ns >= 0 && now_ns() >= deadline_ns)
        return event->kind = SB_DEADLINE, 1;
    return 0;
}

static int is_time_to_look(int64_t deadline_ns)
{
    int64_t now = now_ns();

    if (now - looked_ns < LOOK_NS && (deadline_ns < 0 || now < deadline_ns))
        return 0;
    looked_ns = now;
    return 1;
}

static int sleep_for_signal(sb_event *event, int64_t deadline_ns)
{
    struct timespec left, *timeout = NULL;
    siginfo_t info;
    int signo;

    if (deadline_ns >= 0) {
        int64_t wait_ns = deadline_ns - now_ns();

        if (wait_ns <= 0)
            return event->kind = SB_DEADLINE, 1;
        left.tv_sec = wait_ns / 1000000000LL;
        left.tv_nsec = wait_ns % 1000000000LL;
        timeout = &left;
    }
    signo = sigtimedwait(&waited_set, &info, timeout);
    if (signo < 0 && errno != EAGAIN && errno != EINTR)
        return -errno;
    if (signo > 0 && signo != SIGCHLD)
        return take_signal(event, &info), 1;
    return 0;
}

/* ---- fairness ----
 *
 * wait4(-1) looks at tasks in a fixed order, the youngest first, so young tasks that stop all the time would hide an
 * older one's stop for ever. A report that is there before we slept for it is a sign of that: then all stops there are
 * get taken at once and served in turn, and one end after them. An end is not taken ahead: the id of a process that was
 * waited for can belong to another before its end is served. */

static struct { int pid, status; } queue[1 << 16];
static size_t queued, served;
static int ending; /* who is served after the queue */

/* Who is killed in its stop has another one to report, on its way out: the one before is nobody's any more. */
static void forget_stop(int pid)
{
    for (size_t i = 0; i < queued; i++)
        if (queue[i].pid == pid)
            queue[i].pid = 0;
}

static int has_room(void)
{
    return queued < sizeof queue / sizeof *queue;
}

/* __WNOTHREAD: only what this thread traces or started (wait(2)). */
static int any_child(siginfo_t *info, int what)
{
    memset(info, 0, sizeof *info);
    return waitid(P_ALL, 0, info, what | WNOHANG | __WALL | __WNOTHREAD) == 0 && info->si_pid;
}

static void take_stops(void)
{
    siginfo_t info;

    while (has_room() && any_child(&info, WSTOPPED)) {
        if (info.si_code != CLD_TRAPPED)
            continue; /* a child of our caller's, stopped by job control */
        forget_stop(info.si_pid);
        queue[queued].pid = info.si_pid;
        queue[queued++].status = info.si_status << 8 | 0x7f;
    }
}

/* Tracees' stops are reported whether they are asked for or not (ptrace(2), "Death under ptrace"; kernel/exit.c), so an
 * end shows only where no stop is left. */
static void take_turn(void)
{
    siginfo_t info;

    queued = served = 0;
    do {
        take_stops();
        ending = any_child(&info, WEXITED | WNOWAIT) ? info.si_pid : 0;
    } while (ending && info.si_code == CLD_TRAPPED && has_room());
}

static int report_of(int who, sb_event *event)
{
    struct rusage usage;
    int status, pid = wait4(who, &status, __WALL | __WNOTHREAD | WNOHANG, &usage);

    if (pid > 0)
        take_status(event, pid, status, &usage);
    return pid;
}

static int next_in_turn(sb_event *event)
{
    int last = ending;

    while (served < queued) {
        int pid = queue[served].pid, status = queue[served].status;

        served++;
        if (pid && !has_report(pid))
            return take_status(event, pid, status, NULL), 1;
    }
    ending = 0;
    return last && report_of(last, event) > 0;
}

int sb_wait(sb_event *event, int64_t deadline_ns)
{
    for (int slept = 0;; slept = 1) {
        int done, pid;

        if (is_time_to_look(deadline_ns) && poll_control(event, deadline_ns))
            return 0;
        if (next_in_turn(event))
            return 0;
        pid = report_of(-1, event);
        if (pid > 0) {
            if (!slept)
                take_turn();
            return 0;
        }
        if (pid < 0 && errno == ECHILD)
            return event->kind = SB_NONE, 0;
        if (pid < 0 && errno != EINTR)
            return -errno;
        done = sleep_for_signal(event, deadline_ns);
        if (done)
            return done < 0 ? done : 0;
    }
}

/* ---- what is done to a stopped tracee ---- */

int sb_resume(int pid, int what, int signo)
{
    return request(what, pid, 0, signo) < 0 ? -errno : 0;
}

/* A tracee that vanished (ESRCH) is reported by the wait that follows. */
int sb_resume_wait(int pid, int what, int signo, sb_event *event, int64_t deadline_ns)
{
    if (request(what, pid, 0, signo) < 0 && errno != ESRCH)
        return -errno;
    return sb_wait(event, deadline_ns);
}

int sb_poke(int pid, int offset, uint64_t value)
{
    return request(PTRACE_POKEUSR, pid, offset, value) < 0 ? -errno : 0;
}

/* orig_rax = -1 skips the call (seccomp_filter, "SECCOMP_RET_TRACE"); rax is what the guest sees. */
int sb_answer(int pid, int64_t value)
{
    int failed = sb_poke(pid, offsetof(struct user_regs_struct, orig_rax), ~0ULL);

    if (!failed)
        failed = sb_poke(pid, offsetof(struct user_regs_struct, rax), (uint64_t)value);
    return failed ? failed : sb_resume(pid, PTRACE_CONT, 0);
}

int sb_answer_wait(int pid, int64_t value, sb_event *event, int64_t deadline_ns)
{
    int failed = sb_answer(pid, value);

    return failed && failed != -ESRCH ? failed : sb_wait(event, deadline_ns);
}

int sb_registers(int pid, uint64_t *registers)
{
    return request(PTRACE_GETREGS, pid, 0, (unsigned long)registers) < 0 ? -errno : 0;
}

int sb_get_mask(int pid, uint64_t *mask)
{
    return request(PTRACE_GETSIGMASK, pid, sizeof *mask, (unsigned long)mask) < 0 ? -errno : 0;
}

int sb_set_mask(int pid, uint64_t mask)
{
    return request(PTRACE_SETSIGMASK, pid, sizeof mask, (unsigned long)&mask) < 0 ? -errno : 0;
}

/* ---- guest memory ---- */

int64_t sb_read(int pid, uint64_t address, void *buffer, uint64_t length)
{
    struct iovec local = { buffer, length }, remote = { (void *)address, length };
    ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);

    return got < 0 ? -errno : got;
}

int64_t sb_write(int pid, uint64_t address, const void *buffer, uint64_t length)
{
    struct iovec local = { (void *)buffer, length }, remote = { (void *)address, length };
    ssize_t got = process_vm_writev(pid, &local, 1, &remote, 1, 0);

    return got < 0 ? -errno : got;
}

/* Reads up to and without the NUL, page by page so that a string just before a hole is read whole.
 * -ENAMETOOLONG: no NUL within length bytes. */
int64_t sb_read_string(int pid, uint64_t address, void *buffer, uint64_t length)
{
    uint64_t have = 0;

    while (have < length) {
        uint64_t chunk = 4096 - ((address + have) & 4095);
        int64_t got = sb_read(pid, address + have, (char *)buffer + have, chunk < length - have ? chunk : length - have);
        char *end;

        if (got <= 0)
            return got < 0 ? got : -EFAULT;
        end = memchr((char *)buffer + have, 0, (size_t)got);
        if (end)
            return end - (char *)buffer;
        have += (uint64_t)got;
    }
    return -ENAMETOOLONG;
}

/* The initial stack (System V ABI): argc, argv…, NULL, envp…, NULL, (type, value)…, AT_NULL.
 * Turns the entry `type` into AT_IGNORE. 1: done, 0: there is none. */
int sb_hide_auxv(int pid, uint64_t stack, uint64_t type)
{
    uint64_t words[512], ignore = 1, at = stack + 8;
    int nulls = 0;

    for (;;) {
        int64_t got = sb_read(pid, at, words, sizeof words);
        int64_t count = got / 8, i = 0;

        if (got < 0)
            return (int)got;
        if (count < 2)
            return -EFAULT;
        while (nulls < 2 && i < count)
            nulls += words[i++] == 0;
        for (; nulls == 2 && i + 1 < count; i += 2) {
            if (words[i] == type)
                return (got = sb_write(pid, at + i * 8, &ignore, 8)) < 0 ? (int)got : 1;
            if (words[i] == 0)
                return 0;
        }
        at += i * 8;
    }
}

int sb_kill(int pid, int signo)
{
    return kill(pid, signo) < 0 ? -errno : 0;
}

/* Whether a tracee stops once more before it is gone (PTRACE_O_TRACEEXIT). */
int sb_trace_exit(int pid, int wanted)
{
    return request(PTRACE_SETOPTIONS, pid, 0, SEIZE_OPTIONS | (wanted ? PTRACE_O_TRACEEXIT : 0)) < 0 ? -errno : 0;
}

/* ---- the output pump ---- */

static int write_all(int fd, const char *data, ssize_t length)
{
    while (length > 0) {
        ssize_t done = write(fd, data, (size_t)length);
        struct pollfd ready = { fd, POLLOUT, 0 };

        if (done < 0 && errno == EAGAIN)
            poll(&ready, 1, -1);
        else if (done < 0 && errno != EINTR)
            return -1;
        if (done > 0) {
            data += done;
            length -= done;
        }
    }
    return 0;
}

static _Noreturn void pump_main(struct pollfd *from, const int *to, int count, uint64_t limit)
{
    static char data[65536];
    int open = count;

    while (open) {
        if (poll(from, (nfds_t)count, -1) < 0)
            continue;
        for (int i = 0; i < count; i++) {
            ssize_t got;

            if (from[i].fd < 0 || !from[i].revents)
                continue;
            got = read(from[i].fd, data, sizeof data);
            if (got > 0 && (uint64_t)got > limit) {
                write_all(to[i], data, (ssize_t)limit);
                _exit(PUMP_PASSED);
            }
            if (got <= 0 || write_all(to[i], data, got) < 0) {
                close(from[i].fd);
                from[i].fd = -1;
                open--;
            } else {
                limit -= (uint64_t)got;
            }
        }
    }
    _exit(0);
}

/* Starts a process that copies each from[i] to to[i] until all have ended, or until `limit` bytes in all,
 * when it ends with PUMP_PASSED. Returns its pid. Control signals are blocked in it as they are here. */
int sb_pump(const int *from, const int *to, int count, uint64_t limit)
{
    struct pollfd polled[2];
    int pid = fork();

    if (pid)
        return pid < 0 ? -errno : pid;
    for (int i = 0; i < count; i++)
        polled[i] = (struct pollfd){ from[i], POLLIN, 0 };
    /* No other descriptor: a copy of a pipe's writing end would keep it open for ever. */
    for (int fd = 0; fd < 1024; fd++) {
        int keep = 0;

        for (int i = 0; i < count; i++)
            keep |= fd == from[i] || fd == to[i];
        if (!keep)
            close(fd);
    }
    pump_main(polled, to, count, limit);
}

/* ---- Landlock (landlock(7)) ---- */

/* Fields were added by ABI 4 and 6; the size says which are known, so old headers do not matter. */
struct landlock_ruleset {
    uint64_t files, network, scoped;
};

struct landlock_path {
    uint64_t rights;
    int32_t fd;
} __attribute__((packed));

struct landlock_port {
    uint64_t rights, port;
};

int sb_landlock_abi(void)
{
    long abi = syscall(SYS_LANDLOCK_CREATE_RULESET, NULL, 0, 1);

    return abi < 0 ? -errno : (int)abi;
}

int sb_landlock_ruleset(uint64_t files, uint64_t network, uint64_t scoped)
{
    struct landlock_ruleset rules = { files, network, scoped };
    int abi = sb_landlock_abi();
    size_t size = abi < 4 ? 8 : abi < 6 ? 16 : 24;
    long fd = syscall(SYS_LANDLOCK_CREATE_RULESET, &rules, size, 0);

    return fd < 0 ? -errno : (int)fd;
}

int sb_landlock_path(int ruleset, int fd, uint64_t rights)
{
    struct landlock_path rule = { rights, fd };

    return syscall(SYS_LANDLOCK_ADD_RULE, ruleset, 1, &rule, 0) < 0 ? -errno : 0;
}

int sb_landlock_port(int ruleset, uint64_t port, uint64_t rights)
{
    struct landlock_port rule = { rights, port };

    return syscall(SYS_LANDLOCK_ADD_RULE, ruleset, 2, &rule, 0) < 0 ? -errno : 0;
}
