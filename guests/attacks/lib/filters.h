/* Seccomp filters of a guest's own. */
#ifndef ATTACK_FILTERS_H
#define ATTACK_FILTERS_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "attack.h"

/* Answers getppid with `action`, all else with ALLOW. */
#define FILTER_GETPPID(action)                                                 \
    {                                                                          \
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),                \
        BPF_STMT(BPF_RET | BPF_K, action),                                     \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),                          \
    }

/* What seccomp(2) answers; without privilege the kernel wants no_new_privs first. */
static inline long install(struct sock_filter *code, unsigned short length, unsigned long flags)
{
    struct sock_fprog program = {.len = length, .filter = code};

    raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* The same by the older call, which has no flags. */
static inline long install_by_prctl(struct sock_filter *code, unsigned short length)
{
    struct sock_fprog program = {.len = length, .filter = code};

    raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return raw(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

#endif
