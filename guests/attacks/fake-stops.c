/* Stops that only look like a tracer's events: SIGTRAP sent with every code that ptrace uses (exec, fork, seccomp,
 * exit, the bit of TRACESYSGOOD), breakpoints, single steps, SIGCHLD and SIGSTOP. A tracer that takes them for its own
 * loses count of entries and exits, believes in an exec, or adopts a child that is none. After each one the guest
 * tries the victim, twice, and natively reaches it. Here a stop is what PTRACE_SEIZE's and GET_SYSCALL_INFO's own
 * fields say.
 * class: 94
 * contained: errno
 * ways: 3
 * build: musl */
#include "lib/ways.h"

static volatile sig_atomic_t seen;

static void count(int signo)
{
    (void)signo;
    seen++;
}

static void try_victim(const char *what)
{
    way(reaches_victim(), what);
    way(reaches_victim(), what);
}

static void forged_codes(void)
{
    long self = raw(SYS_getpid);

    for (int event = 0; event <= 8; event++)
        for (int sysgood = 0; sysgood <= 0x80; sysgood += 0x80) {
            siginfo_t info = {.si_signo = SIGTRAP, .si_code = event << 8 | SIGTRAP | sysgood};

            raw(SYS_rt_sigqueueinfo, self, SIGTRAP, &info);
            raw(SYS_rt_tgsigqueueinfo, self, self, SIGTRAP, &info);
            info.si_code = -(event << 8 | 5);
            raw(SYS_rt_sigqueueinfo, self, SIGTRAP, &info);
            if (reaches_victim() && !natively)
                escaped("a signal to the victim after a forged event %d", event);
        }
}

/* The trap flag: an exception after every instruction, system calls among them. */
static void single_steps(void)
{
    int steps = natively ? 1 : 3;

    for (int i = 0; i < steps; i++) {
        __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
        raw(SYS_getpid);
        way(reaches_victim(), "after single steps");
        __asm__ volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
    }
}

int main(int argc, char **argv)
{
    static const int sent[] = {SIGTRAP, SIGCHLD, SIGTRAP, SIGSYS, SIGTRAP | 0x80};

    attack_start(argc, argv);
    for (unsigned i = 0; i < 3; i++)
        signal((int[]){SIGTRAP, SIGCHLD, SIGSYS}[i], count);
    for (unsigned i = 0; i < sizeof sent / sizeof *sent; i++) {
        raw(SYS_kill, raw(SYS_getpid), sent[i]);
        try_victim("after a signal that looks like an event");
    }
    forged_codes();
    __asm__ volatile("int3" ::: "memory");
    try_victim("after a breakpoint");
    single_steps();
    expect(seen >= 5, "the traps are the guest's own and reach it");
    ways_end("forged stops");
}
