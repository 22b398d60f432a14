/* The output pump: a process that copies a guest's output and counts it. */

/* What a pipe that poll(2) calls writable takes without blocking (pipe(7), PIPE_BUF). */
enum { PIECE = 4096 };

/* One stream: what was read from `from` and is not yet written to `to`. */
typedef struct {
    int from, to;
    size_t at, length;
    char data[65536];
} pumped;

static void end_passed(int signo)
{
    (void)signo;
    _exit(PUMP_PASSED);
}

/* The limit is passed, and has to end the run also where nobody reads: what is left has a moment to be written. */
static void start_moment(void)
{
    struct sigaction end = { .sa_handler = end_passed };
    struct itimerval moment = { { 0, 0 }, { 0, OUTPUT_NS / 1000 } };
    sigset_t alarm;

    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigaction(SIGALRM, &end, NULL);
    sigprocmask(SIG_UNBLOCK, &alarm, NULL);
    setitimer(ITIMER_REAL, &moment, NULL);
}

static void pump_end(pumped *one)
{
    close(one->from);
    one->from = -1;
    one->length = 0;
}

static void pump_write(pumped *one)
{
    size_t left = one->length - one->at;
    ssize_t done = write(one->to, one->data + one->at, left < PIECE ? left : PIECE);

    if (done > 0)
        one->at += (size_t)done;
    else if (done < 0 && errno != EAGAIN && errno != EINTR)
        pump_end(one);
    if (one->at >= one->length)
        one->at = one->length = 0;
}

/* Takes no more than what is left of the limit; returns whether there was more. */
static int pump_read(pumped *one, uint64_t *limit)
{
    ssize_t got = read(one->from, one->data, sizeof one->data);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0) {
        pump_end(one);
        return 0;
    }
    one->length = (uint64_t)got > *limit ? (size_t)*limit : (size_t)got;
    *limit -= one->length;
    return (size_t)got > one->length;
}

/* Each stream waits for its own reader: one that nobody reads must not keep the other back. */
static _Noreturn void pump_main(pumped *streams, int count, uint64_t limit)
{
    int passed = 0;

    for (;;) {
        struct pollfd polled[2];
        int waiting = 0;

        for (int i = 0; i < count; i++) {
            pumped *one = &streams[i];
            int writes = one->length > 0;

            polled[i] = (struct pollfd){ writes ? one->to : passed ? -1 : one->from, writes ? POLLOUT : POLLIN, 0 };
            waiting += polled[i].fd >= 0;
        }
        if (!waiting)
            _exit(passed ? PUMP_PASSED : 0);
        if (poll(polled, (nfds_t)count, -1) < 0)
            continue;
        for (int i = 0; i < count; i++) {
            if (polled[i].fd < 0 || !polled[i].revents)
                continue;
            if (polled[i].events == POLLOUT) {
                pump_write(&streams[i]);
            } else if (!passed && pump_read(&streams[i], &limit)) {
                passed = 1;
                start_moment();
            }
        }
    }
}

/* Starts a process that copies each from[i] to to[i] until all have ended, or until `limit` bytes in all,
 * when it ends with PUMP_PASSED; with PUMP_FAILED where it could not begin. Returns its pid. Control signals are
 * blocked in it as they are here. */
int sb_pump(const int *from, const int *to, int count, uint64_t limit)
{
    static pumped streams[2];
    int kept[4], parent = getpid(), pid = fork();

    if (pid)
        return pid < 0 ? -errno : pid;
    /* Nobody else ends it where nobody reads. The supervisor starts it from its only thread. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
        _exit(PUMP_FAILED);
    for (int i = 0; i < count; i++) {
        streams[i].from = from[i];
        streams[i].to = to[i];
        kept[2 * i] = from[i];
        kept[2 * i + 1] = to[i];
    }
    /* A copy of a pipe's writing end would keep it open for ever. */
    if (give_up_all_but(kept, 2 * (size_t)count) < 0)
        _exit(PUMP_FAILED);
    pump_main(streams, count, limit);
}
