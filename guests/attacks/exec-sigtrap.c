/* Without the exec event a tracer gets a bare SIGTRAP after each exec, which it cannot tell from one the guest sent:
 * it loses count of entries and exits of calls, and judges only every second one. Here the guest execs with SIGTRAP
 * blocked, ignored and pending, and the new image makes two calls, an even and an odd one. Natively both reach the
 * victim. Here execs are events of their own and a stop says what it is (PTRACE_O_TRACEEXEC, TRACESYSGOOD).
 * class: 72
 * contained: errno
 * ways: 3
 * build: musl */
#include "lib/ways.h"

static void pending_trap(int how)
{
    sigset_t trap;

    sigemptyset(&trap);
    sigaddset(&trap, SIGTRAP);
    signal(SIGTRAP, how == 1 ? SIG_IGN : SIG_DFL);
    if (how != 1) {
        raw(SYS_rt_sigprocmask, SIG_BLOCK, &trap, NULL, 8);
        raw(SYS_kill, raw(SYS_getpid), SIGTRAP);
    }
}

static void both_calls(void)
{
    way(reaches_victim(), "the first call after exec");
    way(reaches_victim(), "the second call after exec");
    raw(SYS_getppid);
    way(reaches_victim(), "the fourth call after exec");
}

int main(int argc, char **argv)
{
    const char *now = stage(argc, argv);

    attack_start(argc, argv);
    both_calls();
    if (same_text(now, "pending"))
        ways_end("calls after exec");
    pending_trap(*now ? 2 : 1);
    exec_stage(*now ? "pending" : "ignored");
    ways_end("calls before a refused exec");
}
