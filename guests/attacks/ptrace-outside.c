/* Becoming a tracer of the victim or of the supervisor: whoever traces the supervisor decides in its place. Natively
 * the victim can be seized. Here ptrace is refused; behind that the supervisor is undumpable and outside the guest's
 * Landlock domain.
 * class: 85
 * contained: errno
 * ways: 2
 * build: musl */
#include <sys/ptrace.h>

#include "lib/ways.h"

static void try_on(long pid)
{
    way(raw(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0) == 0, "PTRACE_SEIZE");
    raw(SYS_ptrace, PTRACE_INTERRUPT, pid, 0, 0);
    if (natively)
        wait_for(pid);
    raw(SYS_ptrace, PTRACE_DETACH, pid, 0, 0);
    not_natively("PTRACE_ATTACH", "the victim would stop");
    if (!natively)
        way(raw(SYS_ptrace, PTRACE_ATTACH, pid, 0, 0) == 0, "PTRACE_ATTACH");
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    try_on(victim());
    if (!natively)
        try_on(supervisor());
    ways_end("tracing a process outside");
}
