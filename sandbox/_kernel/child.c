/* Launch, the child's side: everything between fork and execve. */

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

/* The report pipe must live until execve. */
static int child_descriptors(const int32_t *output, uint32_t closed)
{
    for (int i = 0; i < 2; i++)
        if (output[i] >= 0 && dup2(output[i], i + 1) < 0)
            return -1;
    for (int fd = 0; fd < 3; fd++)
        if (closed & (1u << fd))
            close(fd);
    return give_up_range(3, ~0u, CLOSE_AT_EXECVE);
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
    close(go);
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
    if (spec->cwd >= 0 && fchdir(spec->cwd) < 0)
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
