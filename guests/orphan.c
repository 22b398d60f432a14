/* MAIN spawns a child, which spawns a grandchild and exits; the grandchild writes its pid as a line to standard output
 * and waits for ever. MAIN exits once that line is written.
 * Expected: exit 0 everywhere. Under a supervisor the grandchild is dead when the run is over; natively it lives on.
 * build: musl */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/expect.h"

enum { READY_FD = 20 };

static pid_t start(char *self, char *role)
{
    char *argv[] = {self, role, NULL};
    pid_t pid = 0;

    expect_equal(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0, "posix_spawn");
    return pid;
}

static int grandchild(void)
{
    int ends[2];
    char byte;

    expect(!pipe(ends), "pipe");
    say("%d", getpid());
    expect_equal(write(READY_FD, "r", 1), 1, "write");
    for (;;)
        raw(SYS_read, ends[0], &byte, 1);
}

int main(int argc, char **argv)
{
    int ready[2], status;
    char byte;
    pid_t pid;

    if (argc > 1 && same_text(argv[1], "grandchild"))
        return grandchild();
    if (argc > 1 && same_text(argv[1], "child")) {
        start(argv[0], "grandchild");
        return 0;
    }
    expect(!pipe2(ready, O_CLOEXEC) && dup2(ready[1], READY_FD) == READY_FD, "pipe2 and dup2");
    pid = start(argv[0], "child");
    expect_equal(waitpid(pid, &status, 0), pid, "waitpid");
    expect_equal(status, 0, "the child's wait status");
    close(ready[1]);
    close(READY_FD);
    expect_equal(read(ready[0], &byte, 1), 1, "the grandchild is ready");
    return 0;
}
