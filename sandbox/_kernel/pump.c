/* The output pump: a process that copies a guest's output and counts it. */

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

static void end_passed(int signo)
{
    (void)signo;
    _exit(PUMP_PASSED);
}

/* The limit is passed, and has to end the run also where nobody reads: the rest has a moment to be written. */
static _Noreturn void pass_limit(int fd, const char *data, ssize_t length)
{
    struct sigaction end = { .sa_handler = end_passed };
    struct itimerval moment = { { 0, 0 }, { 0, OUTPUT_NS / 1000 } };
    sigset_t alarm;

    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigaction(SIGALRM, &end, NULL);
    sigprocmask(SIG_UNBLOCK, &alarm, NULL);
    setitimer(ITIMER_REAL, &moment, NULL);
    write_all(fd, data, length);
    _exit(PUMP_PASSED);
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
            if (got > 0 && (uint64_t)got > limit)
                pass_limit(to[i], data, (ssize_t)limit);
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
 * when it ends with PUMP_PASSED; with PUMP_FAILED where it could not begin. Returns its pid. Control signals are blocked in it as they are here. */
int sb_pump(const int *from, const int *to, int count, uint64_t limit)
{
    struct pollfd polled[2];
    int kept[4], pid = fork();

    if (pid)
        return pid < 0 ? -errno : pid;
    for (int i = 0; i < count; i++) {
        polled[i] = (struct pollfd){ from[i], POLLIN, 0 };
        kept[2 * i] = from[i];
        kept[2 * i + 1] = to[i];
    }
    /* A copy of a pipe's writing end would keep it open for ever. */
    if (give_up_all_but(kept, 2 * (size_t)count) < 0)
        _exit(PUMP_FAILED);
    pump_main(polled, to, count, limit);
}
