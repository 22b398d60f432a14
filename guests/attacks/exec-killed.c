/* A child that does nothing but exec itself is stopped, continued and killed by its parent at any point of it, where
 * the supervisor waits for an event that may never come, or takes the wrong one. Natively nothing is lost. Here
 * neither: the child reports the signal that ended it, and nothing of the run hangs or is left.
 * class: 79
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/ways.h"

enum { ROUNDS = 40 };

static void one_round(int round)
{
    long pid = spawn_stage_or_contained("again"), status;

    linger(round * 50);
    if (round % 2) {
        raw(SYS_kill, pid, SIGSTOP);
        linger(round);
        raw(SYS_kill, pid, SIGCONT);
    }
    raw(SYS_kill, pid, SIGKILL);
    status = wait_for(pid);
    if (exited_with(status, GOT_THROUGH))
        escaped("a signal to the victim between two execs");
    else if (!killed_by(status, SIGKILL))
        fail("round %d: wait status %lx, want death by SIGKILL", round, (unsigned long)status);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    if (same_text(stage(argc, argv), "again")) {
        if (!natively && reaches_victim())
            leave(GOT_THROUGH);
        exec_stage("again");
        for (;;)
            linger(1000);
    }
    attempt("processes killed while they exec");
    for (int round = 0; round < ROUNDS; round++)
        one_round(round);
    if (natively)
        works("%d processes killed while they exec", ROUNDS);
    contained("%d processes killed while they exec", ROUNDS);
}
