/* One system call with every register chosen beforehand and every register seen afterwards, in the caller and, where
 * the call makes one, in the child. Nothing runs between `syscall` and the capture: it is made with pushes only. */
#ifndef GUEST_REGISTERS_H
#define GUEST_REGISTERS_H

#include "expect.h"

/* The order is that of the pushes in registers.S. */
struct registers {
    unsigned long xmm[32];
    unsigned long r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax, rflags, rsp;
};

enum { RFLAGS_ARITHMETIC = 0x8d5, RFLAGS_DF = 0x400, RFLAGS_IF = 0x200, RFLAGS_FIXED = 0x2 };

/* Loads all of `call` but rcx, r11 and rsp (rsp is noted in it instead), makes the system call, and stores in
 * `seen` what the caller's registers hold right after it; returns rax. A child calls `child` with what it saw, on
 * its own stack; `child` must not return. */
long call_with_registers(struct registers *call, struct registers *seen, void (*child)(struct registers *seen));

/* The address of the instruction after `syscall`. */
extern const char call_landing[];

static inline void fill_registers(struct registers *regs)
{
    unsigned long *word = (unsigned long *)regs;

    for (unsigned long i = 0; i < sizeof *regs / sizeof *word; i++)
        word[i] = 0xa5c3000000000000UL + i * 0x0101010101UL;
    regs->rflags = RFLAGS_FIXED | RFLAGS_IF | RFLAGS_DF | 0x855;
}

static inline void expect_register(const char *who, const char *name, unsigned long got, unsigned long want)
{
    if (got != want)
        fail("%s: %s is %lx, want %lx", who, name, got, want);
}

/* All but rcx and r11, which the instruction itself overwrites. */
static inline void expect_registers(const char *who, const struct registers *got, const struct registers *want)
{
#define EXPECT_REGISTER(name) expect_register(who, #name, got->name, want->name)
    EXPECT_REGISTER(rax);
    EXPECT_REGISTER(rbx);
    EXPECT_REGISTER(rdx);
    EXPECT_REGISTER(rsi);
    EXPECT_REGISTER(rdi);
    EXPECT_REGISTER(rbp);
    EXPECT_REGISTER(rsp);
    EXPECT_REGISTER(r8);
    EXPECT_REGISTER(r9);
    EXPECT_REGISTER(r10);
    EXPECT_REGISTER(r12);
    EXPECT_REGISTER(r13);
    EXPECT_REGISTER(r14);
    EXPECT_REGISTER(r15);
    EXPECT_REGISTER(rflags);
#undef EXPECT_REGISTER
    for (int i = 0; i < 32; i++)
        expect_register(who, "half of an xmm register", got->xmm[i], want->xmm[i]);
}

#endif
