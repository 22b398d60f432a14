/* Job control: a child stops itself, and is stopped from outside amid a read; the parent sees each stop and each
 * continuation, and the read goes on as if nothing had been.
 * Expected: exit 0 under default and natively.
 * build: musl glibc */
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/expect.h"

enum { READ_FD = 20, READY_FD = 21, CHILD_STATUS = 5 };

static int child(void)
{
    char byte = 0;

    expect(!raise(SIGSTOP), "raise(SIGSTOP)");
    expect_equal(write(READY_FD, "r", 1), 1, "write");
    expect_equal(read(READ_FD, &byte, 1), 1, "a read that was stopped and continued");
    expect_equal(byte, '!', "the byte read");
    return CHILD_STATUS;
}

static int next_status(pid_t pid)
{
    int status = -1;

    expect_equal(waitpid(pid, &status, WUNTRACED | WCONTINUED), pid, "waitpid");
    return status;
}

static void expect_stop_and_continue(pid_t pid)
{
    int status = next_status(pid);

    expect(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "waitpid reports the stop");
    expect_equal(waitpid(pid, &status, WNOHANG | WUNTRACED | WCONTINUED), 0, "one report for one stop");
    expect(!kill(pid, SIGCONT), "SIGCONT");
    status = next_status(pid);
    expect(WIFCONTINUED(status), "waitpid reports the continuation");
}

int main(int argc, char **argv)
{
    char *child_argv[] = {argv[0], "child", NULL};
    int to_child[2], ready[2], status;
    char byte;
    pid_t pid;

    if (argc > 1 && same_text(argv[1], "child"))
        return child();
    expect(!pipe(to_child) && !pipe(ready), "pipe");
    expect(dup2(to_child[0], READ_FD) == READ_FD && dup2(ready[1], READY_FD) == READY_FD, "dup2");
    expect(!posix_spawn(&pid, argv[0], NULL, NULL, child_argv, environ), "posix_spawn");
    expect_stop_and_continue(pid);
    expect_equal(read(ready[0], &byte, 1), 1, "read");
    expect(!kill(pid, SIGSTOP), "SIGSTOP");
    expect_stop_and_continue(pid);
    expect_equal(write(to_child[1], "!", 1), 1, "write");
    status = next_status(pid);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == CHILD_STATUS, "the child's exit status");
    say("each stop and each continuation was reported");
    return 0;
}
