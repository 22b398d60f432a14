/* A 32-bit system call, int 0x80, from 64-bit code: a filter that looks at the number alone takes i386's getpid (20)
 * for writev, and i386's fork (2) for open. Natively the kernel answers it. Here the filter kills whatever is not of
 * the x86-64 ABI.
 * class: 1
 * contained: killed
 * ways: 1
 * build: musl */
#include "lib/attack.h"

enum { I386_GETPID = 20 };

int main(int argc, char **argv)
{
    long pid;

    attack_start(argc, argv);
    attempt("i386 getpid by int 0x80");
    __asm__ volatile("int $0x80" : "=a"(pid) : "a"(I386_GETPID) : "memory", "r8", "r9", "r10", "r11");
    if (pid == -ENOSYS)
        cannot("this kernel has no 32-bit system calls");
    escaped("i386 getpid through int 0x80 answered %ld", pid);
}
