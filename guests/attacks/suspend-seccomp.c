/* PTRACE_O_SUSPEND_SECCOMP switches a tracee's filters off: by tracing a child of one's own, a program without them
 * would be at hand. Natively it needs CAP_SYS_ADMIN. Here ptrace is refused, and what is refused is the call itself.
 * class: 45
 * contained: errno
 * ways: 3
 * build: musl */
#include <sys/ptrace.h>

#include "lib/tasks.h"

enum { SUSPEND_SECCOMP = 1 << 21 };

int main(int argc, char **argv)
{
    long child = 0, seized, suspended;

    attack_start(argc, argv);
    child = raw(SYS_clone, SIGCHLD);
    if (child == 0) {
        doze(2000);
        leave(0);
    }
    if (child < 0)
        child = victim();
    seized = raw(SYS_ptrace, PTRACE_SEIZE, child, 0, SUSPEND_SECCOMP);
    unless_refused(seized, "ptrace(SEIZE, SUSPEND_SECCOMP)");
    seized = seized < 0 ? raw(SYS_ptrace, PTRACE_SEIZE, child, 0, 0) : seized;
    /* Options are set while it stands still. */
    raw(SYS_ptrace, PTRACE_INTERRUPT, child, 0, 0);
    if (seized >= 0)
        wait_for(child);
    suspended = seized < 0 ? seized : raw(SYS_ptrace, PTRACE_SETOPTIONS, child, 0, SUSPEND_SECCOMP);
    if (child != victim())
        raw(SYS_kill, child, SIGKILL);
    unless_refused(seized, "ptrace(SEIZE) of another task");
    unless_refused(suspended, "ptrace(SETOPTIONS, SUSPEND_SECCOMP)");
    if (natively && suspended < 0)
        cannot("PTRACE_O_SUSPEND_SECCOMP needs CAP_SYS_ADMIN: errno %ld", -suspended);
    contained("ptrace is refused: errno %ld", -seized);
}
