/* A thread that is not the leader execs: the other threads vanish, and the new program runs under the process's id.
 * Expected: exit 0 natively and under workspace. Where threads are refused: 77.
 * build: musl glibc */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "lib/expect.h"

enum { BYSTANDERS = 4 };

static char *self;
static long leader;

static void *wait_for_ever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void *exec_from_here(void *arg)
{
    struct line pid = {.length = 0};
    char *argv[] = {self, "again", pid.text, NULL};

    expect(raw(SYS_gettid) != leader, "this thread is not the leader");
    line_signed(&pid, leader);
    line_char(&pid, '\0');
    execve(self, argv, environ);
    fail("execve: errno %d", errno);
    return arg;
}

static void start(void *(*run)(void *))
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, run, NULL);

    if (error == ENOSYS || error == EAGAIN)
        cannot_be_tested("threads are refused");
    expect_equal(error, 0, "pthread_create");
}

int main(int argc, char **argv)
{
    if (argc > 2 && same_text(argv[1], "again")) {
        expect_equal(raw(SYS_getpid), to_number(argv[2]), "the process's id after exec");
        expect_equal(raw(SYS_gettid), raw(SYS_getpid), "the thread's id after exec");
        say("exec from a thread took over the process");
        return 0;
    }
    self = argv[0];
    leader = raw(SYS_getpid);
    for (int i = 0; i < BYSTANDERS; i++)
        start(wait_for_ever);
    start(exec_from_here);
    wait_for_ever(NULL);
}
