/* Runs a program again and again, for ever, and so do LANES copies of itself, each in a session of its own.
 *     busy LANES PROGRAM [ARG...]
 * What the program's runs come to, and whether it can be started, is of no interest. With LANES 0 it is run once, and
 * busy ends with its status.
 * Expected: never ends by itself, everywhere.
 * build: musl */
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/expect.h"

/* The child's id, or 0. */
static pid_t start(char *path, char **argv)
{
    pid_t pid = 0;

    return posix_spawn(&pid, path, NULL, NULL, argv, environ) ? 0 : pid;
}

static int run(char **argv)
{
    int status = 0;
    pid_t pid = start(argv[0], argv);

    while (pid && waitpid(pid, &status, 0) != pid)
        continue;
    return status;
}

int main(int argc, char **argv)
{
    int lane;

    expect(argc > 2, "LANES and a program are needed");
    lane = same_text(argv[1], "lane");
    if (!lane && same_text(argv[1], "0"))
        return WEXITSTATUS(run(argv + 2));
    if (lane) {
        setsid();
    } else {
        long lanes = (long)to_number(argv[1]);

        argv[1] = "lane";
        while (lanes--)
            start(argv[0], argv);
    }
    for (;;)
        run(argv + 2);
}
