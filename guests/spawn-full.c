/* Seeds S4: posix_spawn with arguments, environment, file actions, attributes and failing paths, and posix_spawnp. The
 * error of a child that cannot exec (ENOENT) or cannot open comes back through the C library, and no child is left.
 * Expected: exit 0 under ostoo (musl), default and natively. Start it by a path, not through PATH.
 * build: musl glibc */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/expect.h"

/* Far from the descriptors that the C library itself uses for the error pipe. */
enum { OPENED_FD = 20, PIPE_FD = 21, CLOSED_FD = 22, KEPT_FD = 23, CHILD_STATUS = 7 };

static const char message[] = "written by the child";

static int child(int argc, char **argv)
{
    char magic[4] = "";
    sigset_t mask;

    expect_equal(argc, 5, "number of arguments");
    expect(!strcmp(argv[2], "one") && !strcmp(argv[3], "two words") && !*argv[4], "the arguments");
    expect(!strcmp(environ[0], "GUEST_COLOUR=blue") && !strcmp(environ[1], "EMPTY=") && !environ[2],
           "the environment");
    expect_equal(read(OPENED_FD, magic, sizeof magic), sizeof magic, "read from the opened file");
    expect(!memcmp(magic, "\177ELF", sizeof magic), "what the opened file holds");
    expect(fcntl(CLOSED_FD, F_GETFD) == -1 && errno == EBADF, "the closed descriptor");
    expect_equal(fcntl(KEPT_FD, F_GETFD), 0, "dup2 onto itself clears FD_CLOEXEC");
    sigprocmask(SIG_BLOCK, NULL, &mask);
    expect(sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGUSR2), "the signal mask");
    expect_equal(write(PIPE_FD, message, sizeof message), sizeof message, "write to the pipe");
    return CHILD_STATUS;
}

static void expect_status(pid_t pid, int want)
{
    int status = -1;

    expect_equal(waitpid(pid, &status, 0), pid, "waitpid returns the child's id");
    expect(WIFEXITED(status), "the child exited");
    expect_equal(WEXITSTATUS(status), want, "the child's exit status");
}

static void expect_no_child(void)
{
    expect(waitpid(-1, NULL, 0) == -1 && errno == ECHILD, "no child is left");
}

static void with_everything(char *self)
{
    char *argv[] = {self, "child", "one", "two words", "", NULL};
    char *envp[] = {"GUEST_COLOUR=blue", "EMPTY=", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char received[sizeof message] = "";
    sigset_t mask;
    int ends[2];
    pid_t pid = 0;

    expect(!pipe2(ends, O_CLOEXEC), "pipe2");
    expect_equal(dup2(ends[0], CLOSED_FD), CLOSED_FD, "dup2");
    expect_equal(dup2(ends[1], KEPT_FD), KEPT_FD, "dup2");
    expect(!fcntl(KEPT_FD, F_SETFD, FD_CLOEXEC), "F_SETFD");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, OPENED_FD, self, O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], PIPE_FD);
    posix_spawn_file_actions_addclose(&actions, CLOSED_FD);
    posix_spawn_file_actions_adddup2(&actions, KEPT_FD, KEPT_FD);
    posix_spawnattr_init(&attributes);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    posix_spawnattr_setsigmask(&attributes, &mask);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);

    expect_equal(posix_spawn(&pid, self, &actions, &attributes, argv, envp), 0, "posix_spawn");
    close(ends[1]);
    close(KEPT_FD);
    expect_equal(read(ends[0], received, sizeof received), sizeof received, "read from the pipe");
    expect(!memcmp(received, message, sizeof message), "what the child wrote");
    expect_equal(read(ends[0], received, 1), 0, "end of file once the child is gone");
    expect_status(pid, CHILD_STATUS);
    close(ends[0]);
    close(CLOSED_FD);
}

static void failing(char *self)
{
    char missing[PATH_MAX];
    char *argv[] = {self, "path-child", NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = -5;

    expect(strlen(self) + sizeof ".missing" <= sizeof missing, "a shorter path");
    strcat(strcpy(missing, self), ".missing");
    expect_equal(posix_spawn(&pid, missing, NULL, NULL, argv, environ), ENOENT, "posix_spawn of a missing path");
    expect_no_child();
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, OPENED_FD, missing, O_RDONLY, 0);
    expect_equal(posix_spawn(&pid, self, &actions, NULL, argv, environ), ENOENT, "addopen of a missing path");
    expect_no_child();
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, CLOSED_FD, PIPE_FD);
    expect_equal(posix_spawn(&pid, self, &actions, NULL, argv, environ), EBADF, "adddup2 of a closed descriptor");
    expect_no_child();
    expect_equal(pid, -5, "a failed posix_spawn leaves the id alone");
}

static void through_path(char *self)
{
    static char path[PATH_MAX];
    char *name = strrchr(self, '/');
    char *argv[] = {self, "path-child", NULL};
    pid_t pid = 0;

    expect(name, "start this program by a path");
    expect((size_t)(name - self) + sizeof "PATH=" < sizeof path, "a shorter path");
    strncat(strcpy(path, "PATH="), self, name == self ? 1 : (size_t)(name - self));
    putenv(path);
    expect_equal(posix_spawnp(&pid, name + 1, NULL, NULL, argv, environ), 0, "posix_spawnp");
    expect_status(pid, 0);
    expect_equal(posix_spawnp(&pid, "no-such-program", NULL, NULL, argv, environ), ENOENT,
                 "posix_spawnp of a missing name");
    expect_no_child();
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "child"))
        return child(argc, argv);
    if (argc > 1 && !strcmp(argv[1], "path-child"))
        return 0;
    with_everything(argv[0]);
    failing(argv[0]);
    through_path(argv[0]);
    say("posix_spawn passed everything on and brought every error back");
    return 0;
}
