/* Launch, the supervisor's side: from a fork to a guest that stands at its first execve. */

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
