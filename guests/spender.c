/* Processes that use CPU time and memory, and say how much. Each of them spends MILLIONS of turns of a loop, touches MIB
 * of memory, and as its last act writes a line "spent NANOSECONDS" with its own CPU time.
 *     spender SHAPE MILLIONS [MIB]
 * alone: one process. waited: MAIN has four children one after another. ignored: four at a time, SIGCHLD is ignored, so
 * that nobody ever waits for them. left: MAIN ends without waiting for its four, which are over. orphans: four children
 * make a child each that spends, and are gone at once. exec: MAIN touches the memory, and spends as another image.
 * forked: as waited, by fork. threads: four threads spend. MILLIONS 0 is for ever.
 * Expected: exit 0 everywhere but with MILLIONS 0. Where fork and threads are refused, those shapes: 77.
 * build: musl */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/expect.h"

enum { CHILDREN = 4, PAGE = 4096, READY_FD = 20 };

static char *self, *millions, *mib;

static void touch(void)
{
    long size = (long)to_number(mib) << 20;
    volatile char *memory = malloc((unsigned long)size + 1);

    expect(memory != NULL, "malloc");
    for (long at = 0; at < size; at += PAGE)
        memory[at] = 1;
}

static void burn(void)
{
    unsigned long turns = to_number(millions) * 1000000;

    do
        __asm__ volatile("");
    while (--turns);
}

static void tell(void)
{
    struct timespec used;

    expect(!clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), "clock_gettime");
    say("spent %ld", used.tv_sec * 1000000000L + used.tv_nsec);
}

static int spend(void)
{
    touch();
    burn();
    tell();
    return 0;
}

static pid_t start(char *shape)
{
    char *argv[] = {self, shape, millions, mib, NULL};
    pid_t pid = 0;

    expect_equal(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0, "posix_spawn");
    return pid;
}

static void wait_well(pid_t pid)
{
    int status = -1;

    expect_equal(waitpid(pid, &status, 0), pid, "waitpid");
    expect_equal(status, 0, "a child's wait status");
}

/* Four children, and they are over when the pipe that all of them hold has no writer any more. */
static void at_a_time(char *shape)
{
    int ends[2];
    char byte;

    expect(!pipe2(ends, O_CLOEXEC) && dup2(ends[1], READY_FD) == READY_FD, "pipe2 and dup2");
    for (int i = 0; i < CHILDREN; i++)
        start(shape);
    close(ends[1]);
    close(READY_FD);
    expect_equal(read(ends[0], &byte, 1), 0, "the end of the pipe");
}

static void fork_one(void)
{
    pid_t pid = fork();

    if (pid == -1)
        cannot_be_tested("fork is refused");
    if (pid == 0)
        _exit(spend());
    wait_well(pid);
}

static void *thread(void *arg)
{
    burn();
    return arg;
}

static void threads(void)
{
    pthread_t ids[CHILDREN];

    for (int i = 0; i < CHILDREN; i++)
        if (pthread_create(&ids[i], NULL, thread, NULL))
            cannot_be_tested("threads are refused");
    for (int i = 0; i < CHILDREN; i++)
        expect_equal(pthread_join(ids[i], NULL), 0, "pthread_join");
}

int main(int argc, char **argv)
{
    char *shape = argc > 2 ? argv[1] : "";

    self = argv[0];
    millions = argc > 2 ? argv[2] : "1";
    mib = argc > 3 ? argv[3] : "0";
    if (same_text(shape, "alone"))
        return spend();
    if (same_text(shape, "orphan")) {
        start("alone");
        return 0;
    }
    if (same_text(shape, "exec")) {
        char *again[] = {self, "alone", millions, "0", NULL};

        touch();
        burn();
        execve(self, again, environ);
        fail("execve");
    }
    if (same_text(shape, "ignored"))
        signal(SIGCHLD, SIG_IGN);
    if (same_text(shape, "ignored") || same_text(shape, "left"))
        at_a_time("alone");
    else if (same_text(shape, "orphans"))
        at_a_time("orphan");
    else if (same_text(shape, "threads"))
        threads();
    else if (same_text(shape, "waited") || same_text(shape, "forked"))
        for (int i = 0; i < CHILDREN; i++)
            same_text(shape, "forked") ? fork_one() : wait_well(start("alone"));
    else
        fail("no such shape");
    tell();
    return 0;
}
