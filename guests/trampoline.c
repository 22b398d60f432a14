/* Seeds S1: a C library's clone trampoline. All seven arguments arrive where the kernel wants them, fn gets arg on a
 * stack aligned as the ABI says (rsp % 16 == 8 at entry) though the stack given was not, fn's result is the exit
 * status, and a refusal comes back to the C caller as -errno.
 *     trampoline native|ostoo
 * Expected: exit 0. Under ostoo and default flags 0x4100 give -ENOSYS and a NULL stack (by raw call) -EINVAL; natively
 * Linux accepts both, and also writes the ids that CLONE_PARENT_SETTID and CLONE_CHILD_CLEARTID ask for.
 * build: musl glibc
 * with: lib/trampoline.S trampoline-probe.S */
#include <errno.h>
#include <sched.h>

#include "lib/vfork.h"

/* What the child held when `probe` was entered (trampoline-probe.S), in the order of the stores there. */
struct probe {
    unsigned long rsp, rdi, rdx, r10, r8, rbp;
};

extern struct probe probe_saw;
long probe(void *arg);
long clone_without_stack(unsigned long flags);

enum { PROBE_RESULT = 42 };

static int parent_tid, child_tid;
static long tls_block[8];

/* With these flags the kernel ignores the last three arguments, and the child's registers still hold them. */
static void seven_arguments(void)
{
    char *crooked = vfork_stack + VFORK_STACK - 3;
    void *arg = tls_block + 1;
    long pid = guest_clone(probe, arg, VFORK_FLAGS, crooked, &parent_tid, tls_block, &child_tid);

    expect(pid > 0, "clone(0x4111) through the trampoline");
    expect_exit(pid, PROBE_RESULT);
    expect_equal(probe_saw.rdi, arg, "fn's argument");
    expect_equal(probe_saw.rsp % 16, 8, "rsp % 16 at fn's entry");
    expect(probe_saw.rsp < (unsigned long)crooked && probe_saw.rsp >= (unsigned long)crooked - 48,
           "fn runs at the top of the stack given");
    expect_equal(probe_saw.rdx, &parent_tid, "ptid");
    expect_equal(probe_saw.r10, &child_tid, "ctid, the seventh argument");
    expect_equal(probe_saw.r8, tls_block, "newtls");
    expect_equal(probe_saw.rbp, 0, "the outermost frame's rbp");
    expect_equal(parent_tid | child_tid, 0, "ids that no flag asked for");
}

/* Natively the kernel can be asked to use ptid and ctid. */
static void ids_written(void)
{
    unsigned long flags = VFORK_FLAGS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    long pid;

    child_tid = -1;
    pid = guest_clone(probe, NULL, flags, vfork_stack + VFORK_STACK, &parent_tid, NULL, &child_tid);
    expect(pid > 0, "clone with CLONE_PARENT_SETTID and CLONE_CHILD_CLEARTID");
    expect_exit(pid, PROBE_RESULT);
    expect_equal(parent_tid, pid, "the id at ptid");
    expect_equal(child_tid, 0, "the id at ctid, cleared when the child let go of the memory");
}

/* These flags raise no SIGCHLD, so only __WALL sees the child that Linux makes. */
static void other_flags(int ostoo)
{
    unsigned long flags = CLONE_VM | CLONE_VFORK;
    long pid = guest_clone(probe, NULL, flags, vfork_stack + VFORK_STACK, NULL, NULL, NULL);

    if (ostoo)
        expect_equal(pid, -ENOSYS, "flags 0x4100 through the trampoline");
    else
        expect(pid > 0 && raw(SYS_wait4, pid, 0, __WALL) == pid, "flags 0x4100 make a child natively");
}

static void no_stack(int ostoo)
{
    long pid = clone_without_stack(VFORK_FLAGS);

    if (ostoo)
        expect_equal(pid, -EINVAL, "flags 0x4111 without a stack");
    else
        expect_exit(pid, PROBE_RESULT);
}

int main(int argc, char **argv)
{
    int ostoo = runs_under_ostoo(argc, argv);

    seven_arguments();
    if (!ostoo)
        ids_written();
    other_flags(ostoo);
    no_stack(ostoo);
    expect_equal(raw(SYS_wait4, -1), -ECHILD, "no child is left");
    say("the trampoline carried fn, its argument and its result");
    return 0;
}
