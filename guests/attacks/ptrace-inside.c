/* A guest that traces another guest changes its system calls after they were judged. A child calls getppid for ever;
 * its parent turns one of these into a signal to the victim. Natively that works. Here ptrace is refused, and a guest
 * has a tracer already, of which there can be one only.
 * class: 86
 * contained: errno
 * ways: 3
 * build: musl */
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "lib/ways.h"

/* The child's next call becomes kill(victim, SIGCONT); true where that answers 0. */
static int redirect(long pid)
{
    struct user_regs_struct registers;

    wait_for(pid);
    raw(SYS_ptrace, PTRACE_SYSCALL, pid, 0, 0);
    wait_for(pid);
    if (raw(SYS_ptrace, PTRACE_GETREGS, pid, 0, &registers) < 0)
        return 0;
    registers.orig_rax = SYS_kill;
    registers.rdi = (unsigned long)victim();
    registers.rsi = SIGCONT;
    raw(SYS_ptrace, PTRACE_SETREGS, pid, 0, &registers);
    raw(SYS_ptrace, PTRACE_SYSCALL, pid, 0, 0);
    wait_for(pid);
    raw(SYS_ptrace, PTRACE_GETREGS, pid, 0, &registers);
    return registers.rax == 0;
}

int main(int argc, char **argv)
{
    long pid, seized;

    attack_start(argc, argv);
    if (same_text(stage(argc, argv), "calls"))
        for (;;)
            raw(SYS_getppid);
    pid = spawn_stage_or_contained("calls");
    seized = raw(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0);
    way(seized == 0, "PTRACE_SEIZE of another guest");
    way(raw(SYS_ptrace, PTRACE_INTERRUPT, pid, 0, 0) == 0, "PTRACE_INTERRUPT of another guest");
    way(seized == 0 && redirect(pid), "another guest's call changed");
    raw(SYS_kill, pid, SIGKILL);
    wait_for(pid);
    ways_end("tracing a guest");
}
