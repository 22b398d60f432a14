/* Children made with ostoo's one accepted clone, flags 0x4111, without a C library's posix_spawn around it: no signal
 * is blocked meanwhile, and the child may do what posix_spawn never does. */
#ifndef GUEST_VFORK_H
#define GUEST_VFORK_H

#include <sys/wait.h>

#include "expect.h"
#include "trampoline.h"

enum { VFORK_FLAGS = 0x4111, VFORK_STACK = 64 * 1024 };

static _Alignas(16) char vfork_stack[VFORK_STACK];

/* The child's id; fails the guest if there is none. The child shares all memory with us. */
static inline long vfork_on(char *stack, long (*fn)(void *), void *arg)
{
    long pid = guest_clone(fn, arg, VFORK_FLAGS, stack + VFORK_STACK, NULL, NULL, NULL);

    if (pid <= 0)
        fail("clone(0x4111): got %ld, want a child's id", pid);
    return pid;
}

static inline long vfork_child(long (*fn)(void *), void *arg)
{
    return vfork_on(vfork_stack, fn, arg);
}

/* The wait status of that very child. */
static inline int wait_status(long pid)
{
    int status = -1;
    long got;

    do
        got = raw(SYS_wait4, pid, &status);
    while (got == -4);
    expect_equal(got, pid, "wait4 returns the child's id");
    return status;
}

static inline void expect_exit(long pid, int code)
{
    int status = wait_status(pid);

    if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
        fail("child: wait status %lx, want exit with %d", (unsigned long)status, code);
}

static inline void expect_killed(long pid, int signal)
{
    int status = wait_status(pid);

    if (!WIFSIGNALED(status) || WTERMSIG(status) != signal)
        fail("child: wait status %lx, want death by signal %d", (unsigned long)status, signal);
}

static inline _Noreturn void leave(int code)
{
    for (;;)
        raw(SYS_exit_group, code);
}

/* Replaces this process by the same program with other arguments; on failure the kernel's -errno. */
static inline long exec_self(char *self, char *word, char *argument)
{
    char *argv[] = {self, word, argument, NULL};
    char *envp[] = {NULL};

    return raw(SYS_execve, self, argv, envp);
}

#endif
