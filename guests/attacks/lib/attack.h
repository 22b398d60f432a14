/* How an attack speaks and ends. The same code runs natively, where it shows that the attack is real, and in the
 * sandbox, where it must fail. What it tries are its ways, each with a name; the first comment says how many there are
 * (`ways: N`), and the harness (sandbox/attack/verdict.py) counts. Before a way is tried it is announced, and after it
 * comes the answer; a program that dies in between died of that way.
 *     attack_start(argc, argv)    first in main; `NAME native` sets `natively`
 *     way(got_through, "name")    one way of many: announced, then the expression is evaluated
 *     unless_refused(result, "name")    the same for a call's result, which is -errno where it was refused
 *     attempt("name")             announces a way that takes more than an expression ...
 *     answered(got_through)       ... and answers it
 *     not_reached_way("name", "why")    a way that cannot be tried here
 *     not_natively("name", "why") natively only: a way that is tried in the sandbox alone
 * An open way ends the attack in the sandbox; natively it is noted, and the next is tried. A name tried again is the
 * same way. The end, by one of these, which answers an open attempt as well:
 *     ways_end("what")            all were tried; natively at least one must have been open
 *     judge(result, "name")       one more way, and the end
 *     escaped("what")             it got through. Natively "works natively: what", exit 0; else "ESCAPED: what", exit 1
 *     contained("how")            it was refused. Natively exit 1, unless a way was open; else exit 0
 *     unreached("why")            as contained(), and what is left cannot be tried since something else was refused
 *     works("what")               natively only: shown, exit 0
 *     cannot("why")               it cannot be shown here. Natively exit 77; in the sandbox as contained()
 *     same("what")                all went as the kernel alone would have it: natively as works(), else as contained()
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

enum { ATTACK_WAYS = 256 };

static int natively, ways_open;

/* The ways so far, by the hash of their names, and whether each was open; the one that is being tried. */
static struct {
    unsigned hash;
    int is_open, is_answered;
} ways_known[ATTACK_WAYS];
static int ways_tried;
static const char *trying;
static int trying_number;

/* --- What was refused ------------------------------------------------------------------------------------------- */

/* Why the way that is tried now is refused, as -errno; 0 where nothing was. */
static long refusal;

/* A sandbox's own errnos count for more than those of what follows from them, such as EBADF. */
static inline int is_denial(long result)
{
    return result == -EPERM || result == -EACCES || result == -ENOSYS || result == -EROFS || result == -ESRCH ||
           result == -EAFNOSUPPORT || result == -EXDEV || result == -ENOTTY;
}

static inline long noted(long result)
{
    if (result < 0 && result > -4096 && (!refusal || (is_denial(result) && !is_denial(refusal))))
        refusal = result;
    return result;
}

/* From here on raw calls and clone note what they were refused. */
#undef raw
#define raw(...) noted(RAW_FILL(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0))
#define guest_clone(...) noted(guest_clone(__VA_ARGS__))

static inline const char *errno_name(long number)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {
        {EPERM, "EPERM"}, {ENOENT, "ENOENT"}, {ESRCH, "ESRCH"}, {EINTR, "EINTR"}, {EIO, "EIO"}, {ENXIO, "ENXIO"},
        {ENOEXEC, "ENOEXEC"}, {EBADF, "EBADF"}, {ECHILD, "ECHILD"}, {EAGAIN, "EAGAIN"}, {ENOMEM, "ENOMEM"},
        {EACCES, "EACCES"}, {EFAULT, "EFAULT"}, {EBUSY, "EBUSY"}, {EEXIST, "EEXIST"}, {EXDEV, "EXDEV"},
        {ENODEV, "ENODEV"}, {ENOTDIR, "ENOTDIR"}, {EISDIR, "EISDIR"}, {EINVAL, "EINVAL"}, {EMFILE, "EMFILE"},
        {ENOTTY, "ENOTTY"}, {ETXTBSY, "ETXTBSY"}, {EFBIG, "EFBIG"}, {ENOSPC, "ENOSPC"}, {ESPIPE, "ESPIPE"},
        {EROFS, "EROFS"}, {EPIPE, "EPIPE"}, {ENAMETOOLONG, "ENAMETOOLONG"}, {ENOSYS, "ENOSYS"}, {ELOOP, "ELOOP"},
        {ENOTSOCK, "ENOTSOCK"}, {EDESTADDRREQ, "EDESTADDRREQ"}, {EPROTOTYPE, "EPROTOTYPE"},
        {EPROTONOSUPPORT, "EPROTONOSUPPORT"}, {ESOCKTNOSUPPORT, "ESOCKTNOSUPPORT"}, {EOPNOTSUPP, "EOPNOTSUPP"},
        {EAFNOSUPPORT, "EAFNOSUPPORT"}, {EADDRINUSE, "EADDRINUSE"}, {ENETUNREACH, "ENETUNREACH"},
        {EISCONN, "EISCONN"}, {ENOTCONN, "ENOTCONN"}, {ECONNREFUSED, "ECONNREFUSED"},
    };

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == number)
            return names[i].name;
    return NULL;
}

/* --- Ways ------------------------------------------------------------------------------------------------------- */

static inline void attack_start(int argc, char **argv)
{
    (void)argc;
    natively = has_word(argv + 1, "native");
}

/* Announces a way; one of the same name, tried again, goes on under its first announcement. */
static inline void attempt(const char *name)
{
    unsigned hash = 2166136261U;
    int i = 0;

    for (const char *at = name; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619U;
    while (i < ways_tried && ways_known[i].hash != hash)
        i++;
    trying = name;
    trying_number = i;
    if (i < ways_tried)
        return;
    if (ways_tried == ATTACK_WAYS)
        fail("more than %d ways", ATTACK_WAYS);
    ways_known[ways_tried++].hash = hash;
    say("try: %s", name);
}

/* Open natively: counted once for each name. */
static inline void way_is_open(void)
{
    if (!trying || ways_known[trying_number].is_open)
        return;
    ways_known[trying_number].is_open = 1;
    ways_open++;
    say("open natively: %s", trying);
}

/* The answer to a way that was refused; the first, where it is tried again. */
static inline void way_is_refused(const char *how)
{
    if (trying && !ways_known[trying_number].is_answered)
        say("%s: %s: %s", natively ? "cannot" : "refused", trying, how);
    if (trying)
        ways_known[trying_number].is_answered = 1;
    trying = NULL;
    refusal = 0;
}

static inline void way_is_refused_by(long result)
{
    const char *name = errno_name(-result);
    char number[] = "errno 000";

    for (int i = 0, left = (int)-result; i < 3; i++, left /= 10)
        number[8 - i] = (char)('0' + left % 10);
    way_is_refused(!result ? "without effect" : name ? name : number);
}

/* A way that cannot be tried, and why. */
static inline void not_reached_way(const char *name, const char *why)
{
    attempt(name);
    way_is_refused(why);
}

/* Natively only: what would harm others is tried in the sandbox alone. */
static inline void not_natively(const char *name, const char *why)
{
    if (!natively)
        return;
    attempt(name);
    say("spared: %s: %s", name, why);
    trying = NULL;
}

/* --- Ends ------------------------------------------------------------------------------------------------------- */

static inline _Noreturn void attack_ends(int status, const char *word, const char *format, va_list args)
{
    struct line line = {.length = 0};

    line_text(&line, word);
    line_format(&line, format, args);
    line_write(&line, 1);
    for (;;)
        raw(SYS_exit_group, status);
}

/* An open attempt has its answer in the end's own words. */
static inline void answer_by_end(int is_open, const char *format, va_list args)
{
    struct line line = {.length = 0};
    va_list copy;

    if (!trying)
        return;
    if (is_open) {
        way_is_open();
        return;
    }
    va_copy(copy, args);
    line_format(&line, format, copy);
    va_end(copy);
    line.text[line.length - 1] = 0;
    way_is_refused(line.text);
}

static inline _Noreturn __attribute__((format(printf, 1, 2))) void works(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!natively)
        attack_ends(1, "ESCAPED: ", format, args);
    answer_by_end(1, format, args);
    attack_ends(0, "works natively: ", format, args);
}

static inline _Noreturn __attribute__((format(printf, 1, 2))) void escaped(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    answer_by_end(natively, format, args);
    if (natively)
        attack_ends(0, "works natively: ", format, args);
    attack_ends(1, "ESCAPED: ", format, args);
}

static inline _Noreturn __attribute__((format(printf, 1, 2))) void contained(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    answer_by_end(0, format, args);
    if (natively)
        attack_ends(!ways_open, ways_open ? "works natively: " : "does not work natively: ", format, args);
    attack_ends(0, "contained: ", format, args);
}

/* Why the ways that were not announced cannot be tried. */
static inline void rest_is_unreached(const char *format, va_list args)
{
    struct line line = {.length = 0};
    va_list copy;

    va_copy(copy, args);
    line_text(&line, "rest: ");
    line_format(&line, format, copy);
    va_end(copy);
    line_write(&line, 1);
}

static inline _Noreturn __attribute__((format(printf, 1, 2))) void unreached(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    answer_by_end(0, format, args);
    rest_is_unreached(format, args);
    if (natively)
        attack_ends(1, "does not work natively: ", format, args);
    attack_ends(0, "contained: ", format, args);
}

static inline _Noreturn __attribute__((format(printf, 1, 2))) void cannot(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    answer_by_end(0, format, args);
    rest_is_unreached(format, args);
    if (natively)
        attack_ends(ways_open ? 0 : CANNOT_BE_TESTED, ways_open ? "works natively: " : "cannot be shown here: ",
                    format, args);
    attack_ends(0, "contained: ", format, args);
}

static inline _Noreturn __attribute__((format(printf, 1, 2))) void same(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    answer_by_end(natively, format, args);
    attack_ends(0, natively ? "works natively: " : "contained: ", format, args);
}

static inline void answered(int got_through)
{
    if (!got_through) {
        way_is_refused_by(refusal);
        return;
    }
    if (!natively)
        escaped("%s", trying);
    way_is_open();
    trying = NULL;
    refusal = 0;
}

/* The same for what a call answered. */
static inline void answered_by_call(long result)
{
    if (noted(result) < 0) {
        answered(0);
        return;
    }
    if (!natively)
        escaped("%s: answered %ld", trying, result);
    answered(1);
}

#define way(got_through, name) (attempt(name), answered(!!(got_through)))
#define unless_refused(result, name) (attempt(name), answered_by_call(result))

static inline _Noreturn void ways_end(const char *what)
{
    if (ways_open)
        works("%s: %d of %d ways", what, ways_open, ways_tried);
    contained("%s: all %d ways refused", what, ways_tried);
}

/* The end of many attacks: one more way, answered by a call. */
#define judge(result, name) (unless_refused(result, name), ways_end(name))

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
        unreached("no second task: clone(SIGCHLD): errno %ld", -pid);
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
        unreached("no second task: clone(CLONE_THREAD): errno %ld", -tid);
    return tid;
}

/* A child that shares our memory until it exits or has exec'd, as posix_spawn makes it: its pid, or -errno. We do not
 * run meanwhile. This is the one way that every policy but `compute` leaves open. */
static inline long spawn_child(long (*fn)(void *), void *arg)
{
    static _Alignas(16) char stack[ATTACK_STACK];

    return guest_clone(fn, arg, CLONE_VM | CLONE_VFORK | SIGCHLD, stack + ATTACK_STACK, NULL, NULL, NULL);
}

/* The wait status of that child, or -errno; the same -errno where there is none. */
static inline long wait_for(long pid)
{
    int status = -1;
    long got;

    if (pid < 0)
        return pid;
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
