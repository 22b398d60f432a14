/* Job control and a held vfork parent. MAIN starts A; A vforks C; C, while A is held, sends
 *     vfork-stop stop       SIGSTOP to A: A stops when it is released, not before; MAIN sees it and continues it
 *     vfork-stop stop-cont  SIGSTOP, then SIGCONT to A: the second cancels the first, A's SIGCONT handler runs once
 *                           after the release, MAIN never sees A stopped
 *     vfork-stop group      SIGSTOP to the process group of A and C: C stops; MAIN continues the group until C, and
 *                           then A, go on
 * Expected: exit 0 under default and natively.
 * build: musl
 * with: lib/trampoline.S */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "lib/vfork.h"

enum { TO_MAIN = 20, A_STATUS = 3 };

static long a_pid;
static volatile int parent_moved, continued, progress;

static void on_continue(int signal)
{
    (void)signal;
    continued++;
}

static void tell_main(const char *byte)
{
    expect_equal(raw(SYS_write, TO_MAIN, byte, 1), 1, "write to MAIN");
}

static void still_held(void)
{
    linger(1000);
    expect(!parent_moved && !continued, "A stands still while it is held");
    progress = 1;
}

static long stop(void *arg)
{
    (void)arg;
    expect_equal(raw(SYS_kill, a_pid, SIGSTOP), 0, "SIGSTOP to A");
    still_held();
    return 0;
}

static long stop_and_continue(void *arg)
{
    (void)arg;
    expect_equal(raw(SYS_kill, a_pid, SIGSTOP), 0, "SIGSTOP to A");
    linger(100);
    expect_equal(raw(SYS_kill, a_pid, SIGCONT), 0, "SIGCONT to A");
    still_held();
    return 0;
}

static long stop_group(void *arg)
{
    (void)arg;
    tell_main("1");
    expect_equal(raw(SYS_kill, 0, SIGSTOP), 0, "SIGSTOP to the group");
    still_held();
    tell_main("2");
    return 0;
}

static int run_a(char *mode)
{
    struct sigaction action = {.sa_handler = on_continue, .sa_flags = SA_RESTART};
    long pid;

    a_pid = raw(SYS_getpid);
    /* Caught only where C gets none: a handler in C would count in the shared memory. */
    if (same_text(mode, "a-stop-cont"))
        expect(!sigaction(SIGCONT, &action, NULL), "sigaction");
    pid = vfork_child(same_text(mode, "a-stop")        ? stop
                      : same_text(mode, "a-stop-cont") ? stop_and_continue
                                                       : stop_group,
                      NULL);
    parent_moved = 1;
    expect_equal(progress, 1, "how far C had come when A went on");
    expect_exit(pid, 0);
    expect_equal(continued, same_text(mode, "a-stop-cont"), "SIGCONT handlers run");
    tell_main("a");
    return A_STATUS;
}

static pid_t start(char *self, char *mode)
{
    char *argv[] = {self, mode, NULL};
    posix_spawnattr_t attributes;
    pid_t pid = 0;

    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    expect_equal(posix_spawn(&pid, self, NULL, &attributes, argv, environ), 0, "posix_spawn");
    return pid;
}

static void expect_byte(int fd, char want)
{
    char byte = 0;

    expect_equal(raw(SYS_read, fd, &byte, 1), 1, "a byte from A or C");
    expect_equal(byte, want, "the byte from A or C");
}

static void expect_end(pid_t a)
{
    int status = 0;

    expect_equal(waitpid(a, &status, WUNTRACED), a, "waitpid");
    expect(WIFEXITED(status) && WEXITSTATUS(status) == A_STATUS, "A exited, and was not stopped meanwhile");
}

static void main_stop(pid_t a, int from_children)
{
    int status = 0;

    expect_equal(waitpid(a, &status, WUNTRACED), a, "waitpid");
    expect(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "A stopped");
    expect(!kill(a, SIGCONT), "SIGCONT to A");
    expect_byte(from_children, 'a');
    expect_end(a);
}

static void main_stop_cont(pid_t a, int from_children)
{
    expect_byte(from_children, 'a');
    expect_end(a);
}

/* SIGCONT is sent again and again, because it does nothing to a C that has not stopped yet. A is stopped for a moment
 * if it was released between two of them. */
static void main_group(pid_t a, int from_children)
{
    struct pollfd ready = {.fd = from_children, .events = POLLIN};
    int status = 0;

    expect_byte(from_children, '1');
    do
        expect(!kill(-a, SIGCONT), "SIGCONT to the group");
    while (poll(&ready, 1, 1) == 0);
    expect_byte(from_children, '2');
    do {
        kill(a, SIGCONT);
        expect_equal(waitpid(a, &status, WUNTRACED), a, "waitpid");
    } while (WIFSTOPPED(status));
    expect(WIFEXITED(status) && WEXITSTATUS(status) == A_STATUS, "A exited");
}

int main(int argc, char **argv)
{
    int ends[2];

    expect(argc == 2, "usage: vfork-stop stop|stop-cont|group");
    if (argv[1][0] == 'a')
        return run_a(argv[1]);
    expect(!pipe2(ends, O_CLOEXEC) && dup2(ends[1], TO_MAIN) == TO_MAIN, "pipe2 and dup2");
    if (same_text(argv[1], "stop"))
        main_stop(start(argv[0], "a-stop"), ends[0]);
    else if (same_text(argv[1], "stop-cont"))
        main_stop_cont(start(argv[0], "a-stop-cont"), ends[0]);
    else
        main_group(start(argv[0], "a-group"), ends[0]);
    say("job control reached the held parent as it should: %s", argv[1]);
    return 0;
}
