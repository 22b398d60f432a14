/* The kernel looks at the low 32 bits of rax only: a filter or a supervisor that compares 64 takes unshare with any
 * of the others set for an unknown number. Natively it is answered. Here a filter sees 32 bits as the kernel does,
 * and the supervisor reads the number from the kernel.
 * class: 7
 * contained: errno
 * ways: 3
 * build: musl */
#include "lib/tasks.h"

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    for (int bit = 32; bit < 64; bit++)
        unless_refused(raw((long)(1UL << bit | SYS_unshare), 0), "unshare with a high bit in rax");
    unless_refused(raw((long)(0xffffffff00000000UL | SYS_unshare), 0), "unshare with all high bits in rax");
    unless_refused(raw((long)(0xffffffff00000000UL | SYS_kill), victim(), SIGTERM), "kill with high bits in rax");
    expect_supervised();
    contained("high bits of rax change nothing");
}
