/* Tasks of attacks: whether they are supervised, and children that run this same program with other words. */
#ifndef ATTACK_TASKS_H
#define ATTACK_TASKS_H

#include "attack.h"

enum { UNTRACED = 3, UNFILTERED = 4 };

extern char **environ;

/* True where no supervisor answers: a signal to oneself is one of its calls under every policy, and the kernel says
 * ENOSYS for it where the filter asks for a tracer that is not there (seccomp(2)). */
static inline int is_untraced(void) { return raw(SYS_kill, raw(SYS_getpid), SIGCONT) == -ENOSYS; }

/* True where no filter answers: every policy refuses unshare, and without flags the kernel alone does not. */
static inline int is_unfiltered(void) { return raw(SYS_unshare, 0) == 0; }

/* What a new task says of itself by its exit status. */
static inline long supervision(void)
{
    return is_untraced() ? UNTRACED : is_unfiltered() ? UNFILTERED : 0;
}

/* The same for the whole program, after something that may have confused the supervisor. */
static inline void expect_supervised(void)
{
    if (!natively && supervision())
        escaped("the program is no longer supervised (%ld)", supervision());
}

/* The end of an attack that makes a task some policies allow: it must be a supervised one. */
static inline _Noreturn void judge_child(long pid, const char *what)
{
    long status;

    attempt(what);
    if (pid < 0)
        judge(pid, what);
    status = wait_for(pid);
    if (natively)
        works("%s: made child %ld", what, pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        contained("%s: made a child, which is supervised", what);
    escaped("%s: child %ld is not supervised (wait status %lx)", what, pid, (unsigned long)status);
}

/* Runs in a child that shares our memory: its words are an argument vector. */
static inline long exec_words(void *words)
{
    char **argv = words;

    raw(SYS_execve, argv[0], argv, environ);
    leave(127);
}

/* This program once more, beside us, with one other word (and "native" where we run natively): its pid, or -errno. */
static inline long spawn_self(char **argv, const char *word)
{
    char *words[] = {argv[0], (char *)word, natively ? (char *)"native" : NULL, NULL};

    return spawn_child(exec_words, words);
}

static inline long spawn_self_or_contained(char **argv, const char *word)
{
    long pid = spawn_self(argv, word);

    if (pid < 0)
        unreached("no second task: clone(0x4111): errno %ld", -pid);
    return pid;
}

/* Turns of real time that need no clock, for helpers that must not run for ever. */
static inline void doze(long milliseconds)
{
    long time[2] = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    if (raw(SYS_nanosleep, time, NULL) == -ENOSYS)
        linger(20000);
}

#endif
