/* rt_sigreturn loads every register from memory the guest wrote: an instruction pointer at a bare syscall instruction
 * with a forbidden call in the registers, first by editing the frame of a real signal, then by a frame made from
 * nothing, at last with the code segment of 32-bit programs. Natively the call runs. Here it is filtered and judged as
 * any other, and a call of the 32-bit ABI is killed.
 * class: 100
 * contained: errno killed
 * ways: 3
 * build: musl */
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "lib/ways.h"

enum { USER_CS_32 = 0x23, I386_KILL = 37, SIZE = 4096 };

extern const char bare_syscall[];
__asm__(".text\nbare_syscall: syscall\n\tret\n");

static ucontext_t kept;
static jmp_buf back;

/* The registers for kill(victim, SIGCONT) at `bare_syscall`, which returns to where the signal came. */
static void forge(ucontext_t *context)
{
    greg_t *regs = context->uc_mcontext.gregs;

    regs[REG_RSP] -= 8 + 128;
    *(greg_t *)regs[REG_RSP] = regs[REG_RIP];
    regs[REG_RIP] = (greg_t)bare_syscall;
    regs[REG_RAX] = SYS_kill;
    regs[REG_RDI] = victim();
    regs[REG_RSI] = SIGCONT;
}

static void edit_frame(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    forge(context);
}

/* kill(self, SIGUSR1), in whose handler the frame is edited: rax is then what the forged call answered. */
static long with_edited_frame(void)
{
    struct sigaction action = {.sa_sigaction = edit_frame, .sa_flags = SA_SIGINFO};
    long result, self = raw(SYS_getpid);

    sigaction(SIGUSR1, &action, NULL);
    __asm__ volatile("sub $256, %%rsp\n\tsyscall\n\tadd $256+128, %%rsp"
                     : "=a"(result)
                     : "a"(SYS_kill), "D"(self), "S"(SIGUSR1)
                     : "rcx", "r11", "rdx", "memory", "cc");
    return result;
}

static void remember(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    kept = *(ucontext_t *)context;
    kept.uc_mcontext.fpregs = NULL;
}

static void return_to(ucontext_t *frame)
{
    __asm__ volatile("mov %0, %%rsp\n\tmov $15, %%eax\n\tsyscall" ::"r"(frame) : "memory");
}

static volatile long answer = -1;

static _Noreturn void after_made_frame(void)
{
    long result;

    __asm__ volatile("" : "=a"(result));
    answer = result;
    longjmp(back, 1);
}

/* The same call by a frame that no signal made: `after_made_frame` is where the bare call returns to. */
static void by_made_frame(void)
{
    static ucontext_t forged;
    static _Alignas(16) greg_t room[512];

    forged = kept;
    room[510] = (greg_t)after_made_frame;
    forged.uc_mcontext.gregs[REG_RSP] = (greg_t)&room[510];
    forged.uc_mcontext.gregs[REG_RIP] = (greg_t)bare_syscall;
    forged.uc_mcontext.gregs[REG_RAX] = SYS_kill;
    forged.uc_mcontext.gregs[REG_RDI] = victim();
    forged.uc_mcontext.gregs[REG_RSI] = SIGCONT;
    attempt("a signal to the victim by a frame made from nothing");
    if (!setjmp(back))
        return_to(&forged);
    answered(noted(answer) == 0);
}

static void by_segment(void)
{
    /* mov $37,%eax; int $0x80; hlt: ebx and ecx come from the frame. */
    static const unsigned char code[] = {0xb8, I386_KILL, 0, 0, 0, 0xcd, 0x80, 0xf4};
    long low = raw(SYS_mmap, 0, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
                   -1, 0);
    greg_t *regs = kept.uc_mcontext.gregs;

    memcpy((void *)low, code, sizeof code);
    regs[REG_RIP] = low;
    regs[REG_RSP] = low + SIZE - 64;
    regs[REG_RBX] = victim();
    regs[REG_RCX] = SIGCONT;
    regs[REG_CSGSFS] = (regs[REG_CSGSFS] & ~0xffffL) | USER_CS_32;
    attempt("a 32-bit call by a forged code segment");
    return_to(&kept);
}

/* After the 32-bit call the hlt faults, and eax says what it answered. */
static void fault(int signo, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

    (void)signo;
    (void)info;
    answered(regs[REG_RAX] == 0);
    ways_end("forged frames");
}

int main(int argc, char **argv)
{
    struct sigaction keep = {.sa_sigaction = remember, .sa_flags = SA_SIGINFO};
    struct sigaction last = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    static char stack[65536];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};

    attack_start(argc, argv);
    way(noted(with_edited_frame()) == 0, "a signal to the victim by an edited frame");
    sigaction(SIGUSR1, &keep, NULL);
    raw(SYS_kill, raw(SYS_getpid), SIGUSR1);
    by_made_frame();
    sigaltstack(&other, NULL);
    sigaction(SIGSEGV, &last, NULL);
    by_segment();
    ways_end("forged frames");
}
