/* System calls with nothing in between: no errno, no cancellation point, no vDSO. The result is the kernel's
 * own: -errno on failure. Safe in a child that shares its parent's memory and thread-local storage. */
#ifndef GUEST_RAW_H
#define GUEST_RAW_H

#include <sys/syscall.h>

static inline __attribute__((always_inline)) long raw_syscall6(long nr, long a, long b, long c, long d, long e,
                                                               long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* raw(SYS_read, fd, buffer, size): missing arguments are 0. */
#define RAW_FILL(nr, a, b, c, d, e, f, ...) \
    raw_syscall6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define raw(...) RAW_FILL(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

#endif
