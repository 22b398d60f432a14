/* Writes over its own read-only code through /proc/self/mem, for which page protection does not count. Natively the
 * function changes. Here files of /proc cannot be opened for writing.
 * class: 32
 * contained: errno
 * ways: 1
 * build: musl */
#include <fcntl.h>

#include "lib/attack.h"

static __attribute__((noinline, aligned(16))) int answer(void)
{
    int value;

    /* Hidden from the compiler, which would otherwise know the answer. */
    __asm__ volatile("mov $1, %0" : "=r"(value));
    return value;
}

int main(int argc, char **argv)
{
    static const unsigned char two[] = {0xb8, 2, 0, 0, 0, 0xc3};    /* mov $2, %eax; ret */
    long fd;

    attack_start(argc, argv);
    attempt("its own code through /proc/self/mem");
    fd = raw(SYS_open, "/proc/self/mem", O_RDWR);
    if (fd < 0)
        fd = raw(SYS_open, "/proc/self/mem", O_WRONLY);
    if (fd < 0)
        contained("open of /proc/self/mem: errno %ld", -fd);
    raw(SYS_pwrite64, fd, two, sizeof two, (unsigned long)answer);
    if (answer() == 2)
        escaped("the program's own code was written over");
    contained("/proc/self/mem cannot be written");
}
