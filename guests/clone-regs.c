/* Both sides of clone(0x4111, stack) hold the registers that ostoo promises: child rax = 0 and rsp = the stack given;
 * parent rax = the child's pid; all else, rdi (still 0x4111), r9, rflags and the xmm registers among it, as it was.
 * Both go on at the instruction after `syscall`.
 * Expected: exit 0 under ostoo, default and natively.
 * build: raw
 * with: lib/registers.S */
#include "lib/registers.h"
#include "lib/vfork.h"

static struct registers call, parent_saw, child_saw;
static volatile long child_pid;

static void child(struct registers *saw)
{
    child_saw = *saw;
    child_pid = raw(SYS_getpid);
    leave(0);
}

/* SYSCALL leaves the address of the next instruction in rcx (and flags in r11), except on processors with FRED,
 * where both stay as they were. */
static void expect_landing(const char *who, const struct registers *saw)
{
    if (saw->rcx != call.rcx)
        expect_register(who, "rcx, where it came back", saw->rcx, (unsigned long)call_landing);
}

int main(void)
{
    struct registers want;
    long pid;

    fill_registers(&call);
    call.rax = SYS_clone;
    call.rdi = VFORK_FLAGS;
    call.rsi = (unsigned long)(vfork_stack + VFORK_STACK - 64);
    pid = call_with_registers(&call, &parent_saw, child);
    if (pid < 0)
        fail("clone(0x4111): got %ld, want a child's id", pid);

    want = call;
    want.rax = 0;
    want.rsp = call.rsi;
    expect_registers("child", &child_saw, &want);
    expect_landing("child", &child_saw);

    want = call;
    want.rax = (unsigned long)child_pid;
    expect_registers("parent", &parent_saw, &want);
    expect_landing("parent", &parent_saw);
    expect_equal(pid, child_pid, "clone returns what the child's getpid says");
    expect_exit(pid, 0);
    say("both sides hold the promised registers");
    return 0;
}
