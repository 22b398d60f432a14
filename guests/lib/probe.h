/* One system call with every register chosen beforehand and seen afterwards, on both sides of a call that makes a
 * task, whatever stack the child was given: that one is never touched. */
#ifndef GUEST_PROBE_H
#define GUEST_PROBE_H

/* The order is that of probe.S. rcx and r11 are not loaded before the call, and rsp is noted. */
struct probe_registers {
    unsigned long rax, rdi, rsi, rdx, r10, r8, r9, rbx, rbp, r12, r13, r14, r15, rcx, r11, rsp, rflags, xmm[32];
};

/* What the next probe_call loads. */
extern struct probe_registers probe_in;
/* What was seen: by whoever saw a result other than 0, and by whoever saw 0, the child of a call among them. */
extern struct probe_registers probe_out, probe_out_zero;
/* Not 0: the call makes tasks, so that 0 in rax means a child. It goes on in probe_child, on this stack. */
extern unsigned long probe_makes_tasks, probe_child_stack;

/* Makes the call by `syscall`, or by `int 0x80`. The child of a call does not come back. */
void probe_syscall(void);
void probe_int80(void);
_Noreturn void probe_child(void);

/* For rt_sigaction(2): the handler calls probe_signal; the restorer is rt_sigreturn(2). */
extern const char probe_handler[], probe_restorer[];
void probe_signal(int signo);

#endif
