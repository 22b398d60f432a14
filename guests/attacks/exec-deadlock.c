/* While a thread execs, the kernel holds a lock of the process until all its other threads are gone. A supervisor that
 * reads the process's memory or attaches to it waits for that lock, and the thread it holds in a stop waits for the
 * supervisor: both hang for ever. Eight threads make calls that are judged by memory (execve of a path that is not
 * there) while one execs for good; thirty processes do it. Natively each new image is reached. Here too: all stops of
 * a dying thread are answered, and the wall limit would end the run if not.
 * class: 80
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/ways.h"

enum { PROCESSES = 30, THREADS = 8 };

static long stay_busy(void *unused)
{
    char *const nothing[] = {NULL};

    (void)unused;
    for (;;) {
        raw(SYS_execve, "/nonexistent/program", nothing, nothing);
        raw(SYS_kill, raw(SYS_getpid), 0);
    }
}

static _Noreturn void busy_process(void)
{
    static _Alignas(16) char stacks[THREADS][ATTACK_STACK];

    for (int i = 0; i < THREADS; i++)
        if (thread_on(stacks[i], stay_busy, NULL) < 0)
            leave(1);
    linger(2000);
    leave((int)-exec_stage("probe"));
}

int main(int argc, char **argv)
{
    const char *now = stage(argc, argv);
    int through = 0;

    attack_start(argc, argv);
    if (same_text(now, "probe"))
        leave(reaches_victim() ? GOT_THROUGH : 0);
    if (same_text(now, "busy"))
        busy_process();
    attempt("a signal to the victim from an image that busy threads made");
    for (int i = 0; i < PROCESSES; i++) {
        long status = wait_for(spawn_stage_or_contained("busy"));

        if (exited_with(status, 1))
            contained("no second task: threads are refused");
        if (!exited_with(status, 0) && !exited_with(status, GOT_THROUGH))
            fail("process %d: wait status %lx", i, (unsigned long)status);
        through += exited_with(status, GOT_THROUGH);
    }
    answered(through > 0);
    ways_end("exec among busy threads");
}
