/* fs_base and gs_base, read and set without a system call. A processor and kernel with FSGSBASE say so in AT_HWCAP2
 * (Documentation/arch/x86/x86_64/fsgs.rst); elsewhere the instructions are SIGILL, and neither base can be seen here. */
#ifndef GUEST_BASES_H
#define GUEST_BASES_H

enum { AUXV_END = 0, AUXV_HWCAP2 = 26, AUXV_VDSO = 33, HWCAP2_HAS_FSGSBASE = 2 };

struct bases {
    unsigned long fs, gs;
};

/* The value of the auxiliary vector's entry of this type, 0 if it has none. The vector lies behind the environment. */
static inline unsigned long auxv_value(char **envp, unsigned long type)
{
    const unsigned long *entry;

    while (*envp)
        envp++;
    for (entry = (const unsigned long *)(envp + 1); entry[0] != AUXV_END; entry += 2)
        if (entry[0] == type)
            return entry[1];
    return 0;
}

static inline struct bases get_bases(void)
{
    struct bases bases;

    __asm__ volatile("rdfsbase %0" : "=r"(bases.fs));
    __asm__ volatile("rdgsbase %0" : "=r"(bases.gs));
    return bases;
}

static inline void set_bases(const void *fs, const void *gs)
{
    __asm__ volatile("wrfsbase %0" : : "r"(fs));
    __asm__ volatile("wrgsbase %0" : : "r"(gs));
}

#endif
