/* Waiting for what happens next, and reading what a stop tells. */

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
