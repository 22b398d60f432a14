/* A helper stops and continues this process and itself, with SIGSTOP, SIGTSTP, SIGTTIN and SIGTTOU, two hundred times
 * at any point of its supervised calls. A tracer that takes a group-stop for a signal (or a signal for a group-stop)
 * leaves a guest running that should stand, or the other way round, or skips a decision. Natively the victim is
 * reached. Here each call is judged once, whatever stops lie around it (PTRACE_LISTEN, ptrace(2)).
 * class: 95
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/ways.h"

enum { ROUNDS = 200 };

static _Noreturn void stop_and_continue(long pid)
{
    static const int stops[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};

    for (int i = 0; i < ROUNDS; i++) {
        raw(SYS_kill, pid, stops[i % 4]);
        linger(i % 7);
        raw(SYS_kill, pid, SIGCONT);
    }
    leave(0);
}

int main(int argc, char **argv)
{
    const char *now = stage(argc, argv);
    long pid, got;
    int status;

    attack_start(argc, argv);
    if (same_text(now, "helper"))
        stop_and_continue(raw(SYS_getppid));
    pid = spawn_stage_or_contained("helper");
    do {
        way(reaches_victim(), "among stops");
        got = raw(SYS_wait4, pid, &status, WNOHANG);
    } while (!natively && (got == 0 || got == -EINTR));
    if (natively)
        wait_for(pid);
    ways_end("calls among group-stops");
}
