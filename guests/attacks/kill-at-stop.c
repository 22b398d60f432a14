/* Children that only make supervised calls are killed at any point: before the stop, in it, while it is answered. A
 * supervisor that goes on with a stop that is gone fails, or answers another task's. A hundred and fifty of them.
 * Natively each dies. Here each dies too, by SIGKILL, with the victim unreached.
 * class: 97
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/ways.h"

enum { CHILDREN = 150 };

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    if (same_text(stage(argc, argv), "calls"))
        for (;;)
            if (reaches_victim() && !natively)
                leave(GOT_THROUGH);
    attempt("processes killed in their calls");
    for (int i = 0; i < CHILDREN; i++) {
        long pid = spawn_stage_or_contained("calls"), status;

        linger(i * 13 % 211);
        raw(SYS_kill, pid, SIGKILL);
        status = wait_for(pid);
        if (exited_with(status, GOT_THROUGH))
            escaped("a signal to the victim from a process that was killed");
        if (!killed_by(status, SIGKILL))
            fail("child %d: wait status %lx, want death by SIGKILL", i, (unsigned long)status);
    }
    if (natively)
        works("%d processes killed in their calls", CHILDREN);
    contained("%d processes killed in their stops", CHILDREN);
}
