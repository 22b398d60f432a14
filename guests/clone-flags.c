/* A refused way of making a process leaves no trace: rax is the error, every other register but rcx and r11 is as
 * before, a 64 KiB arena around the stack given is untouched, no child exists.
 *     clone-flags FLAGS 0|stack ERRNO          clone with these flags (hexadecimal), without or with a stack
 *     clone-flags fork|vfork|clone3 0 ERRNO    another number; clone3 gets flags 0x4111 in a well-formed struct
 * Expected: exit 0 where the kernel's answer is ERRNO. Under ostoo and default: ENOSYS for all flags but 0x4111 and for
 * the other numbers, EINVAL for 0x4111 without a stack. Natively Linux refuses only few, as 0x10000 with EINVAL.
 * build: raw
 * with: lib/registers.S */
#include <errno.h>

#include "lib/registers.h"
#include "lib/vfork.h"

enum { ARENA = 64 * 1024 };

static _Alignas(4096) unsigned char arena[ARENA];
static struct registers call, saw;
/* struct clone_args as of Linux 5.3: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls. */
static unsigned long clone3_args[8] = {0x4100, 0, 0, 0, 17, (unsigned long)arena, ARENA / 2, 0};

static unsigned char arena_byte(unsigned i)
{
    return (unsigned char)(i * 31 + (i >> 8) + 7);
}

static void child(struct registers *child_saw)
{
    (void)child_saw;
    leave(99);
}

static long errno_named(const char *name)
{
    static const struct {
        const char *name;
        int value;
    } known[] = {{"ENOSYS", ENOSYS}, {"EINVAL", EINVAL}, {"EPERM", EPERM}, {"ENOMEM", ENOMEM}, {"EAGAIN", EAGAIN}};

    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (same_text(known[i].name, name))
            return known[i].value;
    return (long)to_number(name);
}

static void prepare(const char *what, const char *stack)
{
    for (unsigned i = 0; i < ARENA; i++)
        arena[i] = arena_byte(i);
    fill_registers(&call);
    call.rsi = same_text(stack, "stack") ? (unsigned long)(arena + ARENA / 2) : 0;
    if (same_text(what, "fork")) {
        call.rax = SYS_fork;
    } else if (same_text(what, "vfork")) {
        call.rax = SYS_vfork;
    } else if (same_text(what, "clone3")) {
        call.rax = SYS_clone3;
        call.rdi = (unsigned long)clone3_args;
        call.rsi = sizeof clone3_args;
    } else {
        call.rax = SYS_clone;
        call.rdi = to_number(what);
    }
}

static void expect_no_child(void)
{
    expect_equal(raw(SYS_wait4, -1, 0, 0, 0), -ECHILD, "wait4 says that there is no child");
    expect(raw(SYS_wait4, -1, 0, WNOHANG | __WALL, 0) < 0, "wait4 sees no child of another kind either");
}

int main(int argc, char **argv)
{
    struct registers want;
    long result;

    expect(argc == 4, "usage: clone-flags FLAGS|fork|vfork|clone3 0|stack ERRNO");
    prepare(argv[1], argv[2]);
    result = call_with_registers(&call, &saw, child);
    expect_equal(result, -errno_named(argv[3]), "what the call answers");

    want = call;
    want.rax = (unsigned long)result;
    expect_registers("caller", &saw, &want);
    for (unsigned i = 0; i < ARENA; i++)
        if (arena[i] != arena_byte(i))
            fail("memory at offset %d of the arena has changed", (int)i);
    expect_no_child();
    say("%s: refused with %s, nothing has changed", argv[1], argv[3]);
    return 0;
}
