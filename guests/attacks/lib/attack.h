/* How an attack speaks and ends. The same code runs natively, where it shows that the attack is real, and in the
 * sandbox, where it must fail:
 *     attack_start(argc, argv)   first in main; `NAME native` sets `natively`
 *     escaped("what")            it got through. Natively "works natively: what", exit 0; else "ESCAPED: what", exit 1
 *     contained("how")           it was refused. Natively exit 1 (the attack proves nothing); else exit 0
 *     works("what")              natively only: shown, exit 0
 *     cannot("why")              it cannot be shown here. Natively exit 77; in the sandbox as contained()
 *     same("what")               all went as the kernel alone would have it: natively as works(), else as contained()
 * Everything is one write(2) without the C library, so that threads and children sharing memory may use it. What is
 * attacked is named in the environment by the harness (sandbox/attack): a victim process and files of its own. */
#ifndef ATTACK_H
#define ATTACK_H

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/expect.h"
#include "lib/trampoline.h"

/* What the secret file and the victim's memory begin with; the rest differs from run to run. */
#define SECRET_MARK "ATTACK-SECRET:"
#define COOKIE_MARK "ATTACK-COOKIE:"

enum { ATTACK_STACK = 64 * 1024 };

static int natively;

static inline void attack_start(int argc, char **argv)
{
    (void)argc;
    natively = has_word(argv + 1, "native");
}

static inline _Noreturn void attack_ends(int status, const char *word, const char *format, va_list args)
{
    struct line line = {.length = 0};

    line_text(&line, word);
    line_format(&line, format, args);
    line_write(&line, 1);
    for (;;)
        raw(SYS_exit_group, status);
}

static inline _Noreturn __attribute__((format(printf, 1, 2))) void works(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!natively)
        attack_ends(1, "ESCAPED: ", format, args);
    attack_ends(0, "works natively: ", format, args);
}

static inline _Noreturn __attribute__((format(printf, 1, 2))) void escaped(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (natively)
        attack_ends(0, "works natively: ", format, args);
    attack_ends(1, "ESCAPED: ", format, args);
}

static inline _Noreturn __attribute__((format(printf, 1, 2))) void contained(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (natively)
        attack_ends(1, "does not work natively: ", format, args);
    attack_ends(0, "contained: ", format, args);
}

static inline _Noreturn __attribute__((format(printf, 1, 2))) void cannot(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (natively)
        attack_ends(CANNOT_BE_TESTED, "cannot be shown here: ", format, args);
    attack_ends(0, "contained: ", format, args);
}

static inline _Noreturn __attribute__((format(printf, 1, 2))) void same(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    attack_ends(0, natively ? "works natively: " : "contained: ", format, args);
}

/* One way of several: the attack is through where the kernel answers it; else the next way is to be tried. */
static inline void unless_refused(long result, const char *what)
{
    if (result >= 0)
        escaped("%s: answered %ld", what, result);
}

/* The end of most attacks: `result` is what the kernel answered, negative where it refused. */
static inline _Noreturn void judge(long result, const char *what)
{
    if (result < 0)
        contained("%s: errno %ld", what, -result);
    escaped("%s: answered %ld", what, result);
}

/* --- What the harness says ------------------------------------------------------------------------------------ */

static inline const char *from_environment(const char *name)
{
    const char *value = getenv(name);

    if (!value || !*value)
        fail("%s is not set: run this by `sandboxctl attack`", name);
    return value;
}

/* The victim: a process of the same user outside the sandbox. */
static inline long victim(void) { return (long)to_number(from_environment("ATTACK_VICTIM")); }

/* Where in the victim's memory its cookie lies: COOKIE_MARK and more, 64 writable bytes. */
static inline unsigned long victim_cookie(void) { return to_number(from_environment("ATTACK_COOKIE")); }

/* The victim's pid as text, as in /proc/PID. */
static inline const char *victim_text(void) { return from_environment("ATTACK_VICTIM"); }

/* The process that supervises (natively: the harness): the guest's parent. */
static inline long supervisor(void) { return raw(SYS_getppid); }

/* A file that the guest must not be able to read, outside its working directory. */
static inline const char *secret(void) { return from_environment("ATTACK_SECRET"); }

/* A file outside the guest's writable places that must not change. */
static inline const char *canary(void) { return from_environment("ATTACK_CANARY"); }

/* The name, without its leading NUL, of the abstract AF_UNIX stream socket that the victim listens on. */
static inline const char *abstract_socket(void) { return from_environment("ATTACK_SOCKET"); }

/* The same by path; a datagram socket of the victim is at this path with ".dgram" behind it. */
static inline const char *path_socket(void) { return from_environment("ATTACK_SOCKET_PATH"); }

/* The loopback TCP port that the victim listens on; it takes UDP datagrams at the same number. */
static inline long tcp_port(void) { return (long)to_number(from_environment("ATTACK_TCP")); }

/* The guest's working directory. */
static inline const char *work_dir(void) { return from_environment("ATTACK_DIR"); }

/* "A" "B" as one text, in a buffer that the next call uses again. */
static inline char *joined(const char *a, const char *b)
{
    static char buffer[8192];
    size_t length = 0;

    for (; *a && length < sizeof buffer - 1; a++)
        buffer[length++] = *a;
    for (; *b && length < sizeof buffer - 1; b++)
        buffer[length++] = *b;
    buffer[length] = 0;
    return buffer;
}

/* True where the bytes hold `mark`. */
static inline int holds(const char *bytes, long length, const char *mark)
{
    long size = (long)strlen(mark);

    for (long i = 0; i + size <= length; i++)
        if (memcmp(bytes + i, mark, (size_t)size) == 0)
            return 1;
    return 0;
}

/* True where what `fd` gives to read begins with the secret. Closes fd. */
static inline int reads_secret(long fd)
{
    char bytes[256];
    long got = raw(SYS_read, fd, bytes, sizeof bytes);

    raw(SYS_close, fd);
    return got > 0 && holds(bytes, got, SECRET_MARK);
}

/* --- A second task, where there is a way to one ---------------------------------------------------------------- */

/* A child with a copy of our memory: 0 in the child, its pid here; contained where that is refused. */
static inline long fork_or_contained(void)
{
    long pid = raw(SYS_clone, SIGCHLD);

    if (pid < 0)
        contained("no second task: clone(SIGCHLD): errno %ld", -pid);
    return pid;
}

/* A thread that runs fn(arg) with raw calls only (it shares our thread-local storage) and exits; its id, or -errno. */
static inline long thread_on(char *stack, long (*fn)(void *), void *arg)
{
    return guest_clone(fn, arg, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
                       stack + ATTACK_STACK, NULL, NULL, NULL);
}

/* The same, contained where that is refused. For one thread at a time. */
static inline long thread_or_contained(long (*fn)(void *), void *arg)
{
    static _Alignas(16) char stack[ATTACK_STACK];
    long tid = thread_on(stack, fn, arg);

    if (tid < 0)
        contained("no second task: clone(CLONE_THREAD): errno %ld", -tid);
    return tid;
}

/* A child that shares our memory until it exits or has exec'd, as posix_spawn makes it: its pid, or -errno. We do not
 * run meanwhile. This is the one way that every policy but `compute` leaves open. */
static inline long spawn_child(long (*fn)(void *), void *arg)
{
    static _Alignas(16) char stack[ATTACK_STACK];

    return guest_clone(fn, arg, CLONE_VM | CLONE_VFORK | SIGCHLD, stack + ATTACK_STACK, NULL, NULL, NULL);
}

/* The wait status of that child, or -errno. */
static inline long wait_for(long pid)
{
    int status = -1;
    long got;

    do
        got = raw(SYS_wait4, pid, &status, __WALL);
    while (got == -EINTR);
    return got < 0 ? got : status;
}

static inline _Noreturn void leave(int code)
{
    for (;;)
        raw(SYS_exit_group, code);
}

/* Milliseconds of real time, for bounds on a race; 0 for ever where the policy keeps the clock still. */
static inline long milliseconds(void)
{
    long time[2] = {0, 0};

    raw(SYS_clock_gettime, 1 /* CLOCK_MONOTONIC */, time);
    return time[0] * 1000 + time[1] / 1000000;
}

#endif
