/* Processes that end while their supervised calls stop: threads call for ever and one of them exits them all; where
 * there are no threads, children exit in the middle of the parent's calls about them. The supervisor is told of stops
 * of tasks that are dead by then, and reads registers and event messages that are garbage. Natively all just end.
 * Here too, and a call that was not judged did not run.
 * class: 96
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/ways.h"

enum { PROCESSES = 40, THREADS = 4 };

static volatile int calling;

static long keep_calling(void *unused)
{
    (void)unused;
    for (;;) {
        if (raw(SYS_kill, victim(), SIGCONT) == 0)
            leave(GOT_THROUGH);
        __atomic_add_fetch(&calling, 1, __ATOMIC_SEQ_CST);
    }
}

/* Exits with all its threads in the middle of calls. */
static _Noreturn void short_life(const char *number)
{
    static _Alignas(16) char stacks[THREADS][ATTACK_STACK];

    for (int i = 0; i < THREADS; i++)
        if (thread_on(stacks[i], keep_calling, NULL) < 0)
            break;
    for (long i = strtol(number, NULL, 10) * 7; i > 0; i--)
        if (reaches_victim())
            leave(GOT_THROUGH);
    leave(0);
}

int main(int argc, char **argv)
{
    const char *now = stage(argc, argv);
    int through = 0;

    attack_start(argc, argv);
    if (*now)
        short_life(now);
    attempt("a signal to the victim from a dying process");
    for (int i = 0; i < PROCESSES; i++) {
        long pid = spawn_stage_or_contained(decimal(i)), status;

        for (int n = 0; n < 3; n++)
            raw(SYS_kill, pid, SIGCONT);
        status = wait_for(pid);
        if (!exited_with(status, 0) && !exited_with(status, GOT_THROUGH))
            fail("process %d: wait status %lx", i, (unsigned long)status);
        through += exited_with(status, GOT_THROUGH);
    }
    answered(through > 0);
    ways_end("processes that end in a stop");
}
