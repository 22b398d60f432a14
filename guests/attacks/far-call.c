/* Goes into the 32-bit code segment (0x23) by a far return and makes a system call from there: by SYSCALL, which some
 * processors have in that mode and which goes on at a landing pad that is not there, so that a signal handler sees the
 * answer; then by int 0x80, coming back by a far jump. Natively i386 getpid answers. Here the filter kills whatever is
 * not of the x86-64 ABI.
 * class: 4
 * contained: killed
 * ways: 1
 * build: musl */
#include <ucontext.h>

#include "lib/i386.h"

enum { PAGES = 0x10000, CODE32 = 0x100, CODE64 = 0x200, SAVED_STACK = 0x800 };

/* Called by the C ABI with the page. What a call must keep is on the stack, whose pointer the page keeps; a 32-bit
 * segment needs one below 4 GiB, from which SYSCALL also reads its sixth argument. */
static const unsigned char enter[] = {
    0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57,    /* push rbx rbp r12 r13 r14 r15 */
    0x48, 0x89, 0xa7, 0x00, 0x08, 0x00, 0x00,                      /* mov %rsp, SAVED_STACK(%rdi) */
    0x48, 0x8d, 0xaf, 0x00, 0xf0, 0x00, 0x00,                      /* lea 0xf000(%rdi), %rbp */
    0x48, 0x89, 0xec,                                              /* mov %rbp, %rsp */
    0x6a, 0x23,                                                    /* push $0x23 */
    0x48, 0x8d, 0x87, 0x00, 0x01, 0x00, 0x00,                      /* lea CODE32(%rdi), %rax */
    0x50, 0x48, 0xcb,                                              /* push %rax; lretq */
};

/* 32-bit: mov $20, %eax; the call; ljmp $0x33, $CODE64. */
static const unsigned char call32[] = {
    0xb8, I386_GETPID, 0, 0, 0, 0xcd, 0x80, 0xea, 0, 0, 0, 0, 0x33, 0x00,
};
enum { CALL_AT = 5, TARGET_AT = 8 };

static const unsigned char leave64[] = {
    0x48, 0x8b, 0x25, 0xf9, 0x05, 0x00, 0x00,                      /* mov SAVED_STACK(page), %rsp, rip-relative */
    0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b,    /* pop r15 r14 r13 r12 rbp rbx */
    0xc3,
};

static char *page;

static long enter32(const char *call)
{
    memcpy(page + CODE32 + CALL_AT, call, 2);
    return ((int (*)(char *))page)(page);
}

static _Noreturn void judge_answer(long answer, const char *how)
{
    if (answer == raw(SYS_getpid))
        escaped("i386 getpid by %s from a 32-bit segment answered %ld", how, answer);
    cannot("i386 getpid by %s from a 32-bit segment answered %ld", how, answer);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int eax = (int)((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX];

    (void)info;
    if (number == SIGSEGV && eax == raw(SYS_getpid))
        judge_answer(eax, "SYSCALL");
    judge_answer(enter32("\xcd\x80"), "int 0x80");
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    unsigned target;

    attack_start(argc, argv);
    attempt("i386 getpid from a 32-bit segment");
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    page = low_memory(PAGES, PROT_READ | PROT_WRITE | PROT_EXEC);
    target = (unsigned)(unsigned long)(page + CODE64);
    memcpy(page, enter, sizeof enter);
    memcpy(page + CODE32, call32, sizeof call32);
    memcpy(page + CODE32 + TARGET_AT, &target, sizeof target);
    memcpy(page + CODE64, leave64, sizeof leave64);
    judge_answer(enter32("\x0f\x05"), "SYSCALL");
}
