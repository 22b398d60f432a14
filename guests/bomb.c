/* Each process makes another, and another, for ever, and so does each of those: by fork, or by posix_spawn of this
 * program where fork is refused. Nobody waits for anybody.
 *     bomb [LEVELS]
 * With LEVELS each makes two, down to that many levels, waits for them and ends.
 * Expected: never ends by itself; with LEVELS exit 0 everywhere.
 * build: musl */
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/expect.h"

static void level(char *self, long left);

static int make(char *self, long left)
{
    char word[] = {(char)('0' + left), 0};
    char *argv[] = {self, left < 0 ? NULL : word, NULL};
    pid_t pid = fork();

    if (pid == 0) {
        level(self, left);
        _exit(0);
    }
    return pid > 0 || !posix_spawn(&pid, self, NULL, NULL, argv, environ);
}

static void level(char *self, long left)
{
    int status;

    while (left < 0)
        make(self, left);
    for (int i = 0; left > 0 && i < 2; i++)
        expect(make(self, left - 1), "a process is made");
    while (wait(&status) > 0)
        expect_equal(status, 0, "a child's wait status");
}

int main(int argc, char **argv)
{
    long levels = argc > 1 ? (long)to_number(argv[1]) : -1;

    expect(levels < 10, "at most 9 levels");
    level(argv[0], levels);
    return 0;
}
