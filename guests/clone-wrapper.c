/* Seeds S3: do_something("test") cloned through the C library's own wrapper. fn and arg are on the new stack before the
 * system call; parent and child both go on at the instruction after `syscall`.
 *     clone-wrapper threads   with flags 0x3d0f00, as a thread library would
 *     clone-wrapper vfork     with flags 0x4111
 * Expected: threads exits 0 natively and under workspace; vfork exits 0 natively, under default and (musl) ostoo.
 * build: musl glibc
 * with: clone-wrapper-probe.S
 *
 * How it is seen from inside, without a debugger:
 * - SYSCALL leaves the address of the next instruction in rcx, and neither wrapper touches rcx between there and the
 *   call of fn in the child, or the return in the parent. Both addresses are taken down by assembly; they must be
 *   equal, lie in the wrapper, and have the two bytes of `syscall` (0f 05) before them.
 * - A clone that is refused (CLONE_THREAD alone: EINVAL natively, ENOSYS by the clone rule) leaves the stack as the
 *   wrapper prepared it: [fn, arg] in glibc, [arg] in musl, which carries fn in r9.
 * musl's public clone() refuses thread flags in newer releases; it is a thin face of __clone, which posix_spawn and
 * pthread_create call too, so that is called here. */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>
#include <sys/wait.h>

#include "lib/expect.h"

enum { THREAD_FLAGS = 0x3d0f00, VFORK_FLAGS = 0x4111, WRAPPER_SIZE = 256, STACK = 64 * 1024 };

#ifdef __GLIBC__
#define WRAPPER clone
enum { FN_ON_STACK = 1 };
#else
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define WRAPPER __clone
enum { FN_ON_STACK = 0 };
#endif

/* clone-wrapper-probe.S: calls `wrapper` with the rest; stores rcx as it is when the wrapper returns. */
long call_wrapper(void *wrapper, int (*fn)(void *), void *stack, long flags, void *arg, int *ptid, void *tls,
                  int *ctid);
/* Stores what the child holds at fn's entry, then calls do_something. */
int child_entry(void *arg);
int do_something(void *arg);

extern unsigned long parent_rcx, child_rcx, child_rsp, child_rdi, child_r9;

static _Alignas(16) uintptr_t stack[STACK / sizeof(uintptr_t)];
static uintptr_t *const stack_top = stack + STACK / sizeof(uintptr_t);
static _Alignas(64) uintptr_t tls_block[64];
static int parent_tid;
static volatile int child_tid;
static volatile int got_test;

int do_something(void *arg)
{
    got_test = same_text(arg, "test");
    return 5;
}

static long clone_something(long flags, char *arg)
{
    tls_block[0] = (uintptr_t)tls_block;
    child_tid = -1;
    return call_wrapper((void *)WRAPPER, child_entry, stack_top, flags, arg, &parent_tid, tls_block,
                        (int *)&child_tid);
}

static void stack_is_prepared(char *arg)
{
    long refused = clone_something(CLONE_THREAD, arg);

    expect(refused < 0, "CLONE_THREAD alone is refused");
    expect_equal(stack_top[-1], arg, "arg at the top of the new stack");
    if (FN_ON_STACK)
        expect_equal(stack_top[-2], child_entry, "fn below it");
}

static void same_instruction(void)
{
    uintptr_t wrapper = (uintptr_t)WRAPPER;
    const unsigned char *landing = (const unsigned char *)child_rcx;

    if (parent_rcx - wrapper > WRAPPER_SIZE)
        cannot_be_tested("rcx does not hold the address after syscall");
    expect_equal(child_rcx, parent_rcx, "where the child goes on");
    expect(landing[-2] == 0x0f && landing[-1] == 0x05, "the instruction before is syscall");
    say("both sides continued at clone+%d", (int)(child_rcx - wrapper));
}

/* The wrapper popped what it had stored, and the call of fn pushed a return address over the last of it. */
static void child_started_on_top(char *arg)
{
    expect_equal(child_rdi, arg, "fn's argument");
    expect_equal(child_rsp, stack_top - 1, "rsp at fn's entry");
    if (FN_ON_STACK)
        expect_equal(stack_top[-2], child_entry, "fn at the child's first rsp");
    else
        expect_equal(child_r9, child_entry, "fn in the child's r9");
    expect(got_test, "do_something got \"test\"");
}

static int run_vfork(char *arg)
{
    long pid = clone_something(VFORK_FLAGS, arg);
    int status = 0;

    expect(pid > 0, "clone with flags 0x4111");
    expect_equal(raw(SYS_wait4, pid, &status), pid, "wait4 returns the child's id");
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 5, "fn's result is the exit status");
    return 0;
}

static int run_thread(char *arg)
{
    long tid = clone_something(THREAD_FLAGS, arg);
    int seen;

    expect(tid > 0, "clone with flags 0x3d0f00");
    while ((seen = child_tid))
        raw(SYS_futex, &child_tid, FUTEX_WAIT, seen);
    expect_equal(parent_tid, tid, "the id at ptid");
    return 0;
}

int main(int argc, char **argv)
{
    static char arg[] = "test";
    int threads = argc == 2 && same_text(argv[1], "threads");

    expect(threads || (argc == 2 && same_text(argv[1], "vfork")), "usage: clone-wrapper threads|vfork");
    stack_is_prepared(arg);
    if (threads)
        run_thread(arg);
    else
        run_vfork(arg);
    same_instruction();
    child_started_on_top(arg);
    return 0;
}
