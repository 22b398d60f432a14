/* A process that means to outlive its maker, in a session and a group of its own, deaf to all it can ignore. */
#ifndef ATTACK_LASTING_H
#define ATTACK_LASTING_H

#include "tasks.h"

static inline void turn_deaf(void)
{
    sigset_t every;

    sigfillset(&every);
    raw(SYS_rt_sigprocmask, SIG_BLOCK, &every, NULL, 8);
    raw(SYS_setsid);
    raw(SYS_setpgid, 0, 0);
}

/* Long enough to be found: the harness ends it natively, and must not find it otherwise. */
static inline _Noreturn void last(void)
{
    turn_deaf();
    for (int i = 0; i < 100; i++)
        doze(100);
    leave(0);
}

/* Such a child: by fork, or as a program of its own; its pid, or -errno. */
static inline long make_lasting(char **argv)
{
    long pid = raw(SYS_fork);

    if (pid == 0)
        last();
    return pid < 0 ? spawn_self(argv, "last") : pid;
}

#endif
