/* A thread signals tasks in the moment they are made, by the id that the kernel stores for it (CLONE_PARENT_SETTID):
 * forked children and threads, each there for the one who signals it as soon as its id is.
 *     newborn-signals [TASKS]
 * Expected: exit 0 natively and under workspace. Where threads are refused: 77.
 * build: musl glibc
 * with: lib/trampoline.S */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/trampoline.h"

enum { STACK = 16384, THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM };

static volatile int newborn, over;
static volatile int stay = 1;
static long found, missed;

static void *signal_newborns(void *arg)
{
    long self = raw(SYS_getpid);

    while (!over) {
        int id = newborn;
        long thread, process;

        if (!id)
            continue;
        process = raw(SYS_kill, id, 0);
        thread = raw(SYS_tgkill, self, id, 0);
        if (process == 0 || thread == 0)
            found++;
        else
            missed++;
        newborn = 0;
    }
    return arg;
}

static void wait_until_signalled(void)
{
    while (newborn)
        ;
}

static void fork_one(void)
{
    int status;
    long pid = raw(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, 0, &newborn, 0, 0);

    if (pid == 0)
        for (;;)
            raw(SYS_pause);
    expect(pid > 0, "a child");
    wait_until_signalled();
    raw(SYS_kill, pid, SIGKILL);
    expect_equal(raw(SYS_wait4, pid, &status, 0, 0), pid, "wait4");
}

static long do_nothing(void *unused)
{
    (void)unused;
    while (stay)
        ;
    return 0;
}

static void thread_one(char *stack)
{
    long tid;

    stay = 1;
    tid = guest_clone(do_nothing, NULL, THREAD | CLONE_PARENT_SETTID, stack + STACK, (int *)&newborn, NULL, NULL);
    expect(tid > 0, "a thread");
    wait_until_signalled();
    stay = 0;
    while (raw(SYS_tgkill, raw(SYS_getpid), tid, 0) == 0)
        ;
}

int main(int argc, char **argv)
{
    static _Alignas(16) char stack[STACK];
    long tasks = argc > 1 ? to_number(argv[1]) : 100;
    struct line line = {.length = 0};
    pthread_t thread;
    int error = pthread_create(&thread, NULL, signal_newborns, NULL);

    if (error == ENOSYS || error == EAGAIN)
        cannot_be_tested("threads are refused");
    expect_equal(error, 0, "pthread_create");
    for (long i = 0; i < tasks; i++) {
        fork_one();
        thread_one(stack);
    }
    over = 1;
    pthread_join(thread, NULL);
    expect_equal(missed, 0, "signals that found nobody");
    line_signed(&line, found);
    line_text(&line, " newborns signalled\n");
    line_write(&line, 1);
    return 0;
}
