/* CPU time, used up without a system call. */
#ifndef ATTACK_BURN_H
#define ATTACK_BURN_H

/* About this many seconds on a machine that makes three thousand million turns a second; longer on others. */
static inline void burn(double seconds)
{
    for (unsigned long turns = (unsigned long)(seconds * 3e9); turns; turns--)
        __asm__ volatile("");
}

#endif
