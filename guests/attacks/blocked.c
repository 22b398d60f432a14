/* Time without CPU time: a process that blocks and ignores every signal and then sleeps, or waits in a read that
 * nobody answers for seven seconds. A limit on CPU time never ends it, and no signal but SIGKILL does. Natively the
 * wait ends by itself, after a moment. Here the wall limit ends it.
 * class: 130
 * contained: limit
 * ways: 1
 * options: --timeout 1
 * build: musl */
#include "lib/burn.h"
#include "lib/ways.h"

static void hear_nothing(void)
{
    for (int signo = 1; signo < 65; signo++) {
        unsigned long ignore[4] = {1 /* SIG_IGN */, 0, 0, 0}, all = ~0UL;

        raw(SYS_rt_sigaction, signo, ignore, NULL, 8);
        raw(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 8);
    }
}

/* A child that writes to descriptor 9 when its time is over; false where that cannot be made. */
static int waits_for_child(void)
{
    int ends[2];
    char byte;

    if (raw(SYS_pipe, ends) < 0)
        return 0;
    raw(SYS_dup2, ends[1], 9);
    raw(SYS_close, ends[1]);
    if (spawn_stage("late") < 0)
        return 0;
    raw(SYS_close, 9);
    return raw(SYS_read, ends[0], &byte, 1) == 1;
}

int main(int argc, char **argv)
{
    struct timespec pause = {7, 0};

    attack_start(argc, argv);
    if (same_text(stage(argc, argv), "late")) {
        burn(natively ? 0.1 : 7);
        raw(SYS_write, 9, "x", 1);
        leave(0);
    }
    hear_nothing();
    attempt("a wait of seven seconds");
    if (!waits_for_child() && raw(SYS_nanosleep, &pause, NULL) < 0)
        burn(7);
    answered(1);
    ways_end("a deaf wait");
}
