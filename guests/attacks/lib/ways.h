/* Attacks that go on in a program started anew. A stage is this same program, exec'd with a word behind its other
 * arguments. */
#ifndef ATTACK_WAYS_H
#define ATTACK_WAYS_H

#include <signal.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "attack.h"

/* A stage's exit status where it reached what it must not. */
enum { GOT_THROUGH = 42 };

/* The errnos of a sandbox's refusal. Any other says that the kernel looked at the arguments. */
static inline int is_refusal(long result)
{
    return result == -EPERM || result == -EACCES || result == -ENOSYS || result == -EROFS || result == -ESRCH ||
           result == -EAFNOSUPPORT;
}

/* The action outside that every stage tries: a signal to the victim that does it no harm. */
static inline int reaches_victim(void)
{
    return raw(SYS_kill, victim(), SIGCONT) == 0;
}

static inline const char *stage(int argc, char **argv)
{
    const char *last = argc > 1 ? argv[argc - 1] : "";

    return same_text(last, "native") ? "" : last;
}

static inline char *own_path(void)
{
    return (char *)getauxval(AT_EXECFN);
}

/* Becomes a stage, run from `path`; returns -errno where it could not. */
static inline long exec_stage_from(char *path, const char *word)
{
    char *argv[] = {path, natively ? "native" : (char *)word, natively ? (char *)word : NULL, NULL};

    return raw(SYS_execve, path, argv, environ);
}

static inline long exec_stage(const char *word)
{
    return exec_stage_from(own_path(), word);
}

static inline long exec_stage_in_child(void *word)
{
    leave((int)-exec_stage(word));
}

/* A child that is a stage: its pid, or -errno. */
static inline long spawn_stage(const char *word)
{
    return spawn_child(exec_stage_in_child, (void *)word);
}

static inline long spawn_stage_or_contained(const char *word)
{
    long pid = spawn_stage(word);

    if (pid < 0)
        unreached("no second task: clone(0x4111): errno %ld", -pid);
    return pid;
}

static inline int exited_with(long status, int code)
{
    return status >= 0 && WIFEXITED((int)status) && WEXITSTATUS((int)status) == code;
}

static inline int killed_by(long status, int signo)
{
    return status >= 0 && WIFSIGNALED((int)status) && WTERMSIG((int)status) == signo;
}

/* A decimal number as text, in a buffer that the next call uses again. */
static inline char *decimal(long number)
{
    static struct line line;

    line.length = 0;
    line_signed(&line, number);
    line.text[line.length] = 0;
    return line.text;
}

#endif
