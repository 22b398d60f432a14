/* posix_spawn and waitpid: the one way that ostoo makes processes. The child is this same program again.
 *     spawn       the child prints a line and exits with 7; the parent says so
 *     spawn N     N children one after another, each exiting with 0
 * Expected: exit 0 under ostoo (musl), default and natively.
 * build: musl glibc */
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/expect.h"

static int spawn_and_wait(char *self, char *word)
{
    char *argv[] = {self, word, NULL};
    int status = -1;
    pid_t pid = 0;

    expect_equal(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0, "posix_spawn");
    expect_equal(waitpid(pid, &status, 0), pid, "waitpid returns the child's id");
    if (!WIFEXITED(status))
        fail("child: wait status %lx, want an exit", (unsigned long)status);
    return WEXITSTATUS(status);
}

static int spawn_many(char *self, int count)
{
    for (int i = 0; i < count; i++)
        expect_equal(spawn_and_wait(self, "quiet-child"), 0, "a child's exit status");
    say("%d children exited with status 0", count);
    return 0;
}

int main(int argc, char **argv)
{
    int status;

    if (argc > 1 && same_text(argv[1], "child")) {
        say("hello from the spawned child");
        return 7;
    }
    if (argc > 1 && same_text(argv[1], "quiet-child"))
        return 0;
    if (argc > 1)
        return spawn_many(argv[0], (int)to_number(argv[1]));
    status = spawn_and_wait(argv[0], "child");
    say("child exited with status %d", status);
    expect_equal(status, 7, "the child's exit status");
    return 0;
}
