/* A binary tree of processes made with fork: node n forks 2n and 2n+1 and waits for both.
 *     fork-tree [PROCESSES]
 * Expected: exit 0 natively and under workspace. Where fork is refused: 77.
 * build: musl glibc */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/expect.h"

static long processes = 31;
static int ends[2];

static void node(long number);

static void grow(long number)
{
    pid_t pid;

    if (number > processes)
        return;
    pid = fork();
    if (pid == -1 && errno == ENOSYS)
        cannot_be_tested("fork is refused");
    if (pid == -1)
        fail("fork: errno %d", errno);
    if (pid == 0) {
        node(number);
        _exit(0);
    }
}

static void node(long number)
{
    int status;

    expect_equal(write(ends[1], "n", 1), 1, "write");
    grow(2 * number);
    grow(2 * number + 1);
    while (wait(&status) > 0)
        expect_equal(status, 0, "a child's wait status");
    expect_equal(errno, ECHILD, "errno when no child is left");
}

int main(int argc, char **argv)
{
    long seen = 0;
    char byte;

    if (argc > 1)
        processes = (long)to_number(argv[1]);
    expect(processes > 0 && processes <= 60000, "as many as a pipe holds bytes");
    expect(!pipe(ends), "pipe");
    node(1);
    close(ends[1]);
    while (read(ends[0], &byte, 1) == 1)
        seen++;
    expect_equal(seen, processes, "processes that have run");
    say("%ld processes ran", seen);
    return 0;
}
