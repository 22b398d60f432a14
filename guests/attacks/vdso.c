/* The vDSO answers without a system call, and is memory of the program's own: it can be used where the call is
 * refused, unmapped, or written over. Natively it is found by the auxiliary vector, and can be unmapped. Here a
 * policy that answers the clock itself hides it, and nothing depends on its being there.
 * class: 17
 * contained: errno
 * ways: 1
 * build: musl */
#include <sys/auxv.h>
#include <sys/mman.h>

#include "lib/tasks.h"

int main(int argc, char **argv)
{
    unsigned long vdso = getauxval(AT_SYSINFO_EHDR);
    long time[2] = {0};
    long direct;

    attack_start(argc, argv);
    attempt("the vDSO unmapped");
    direct = raw(SYS_clock_gettime, 0, time);
    if (vdso && (direct < 0 || time[0] == 0))
        escaped("the clock is answered by the policy (%ld), and the vDSO is there to tell it", direct);
    if (vdso && raw(SYS_mprotect, vdso, 4096, PROT_READ | PROT_WRITE) == 0)
        *(volatile char *)vdso = 0;
    if (vdso)
        raw(SYS_munmap, vdso, 8192);
    expect_supervised();
    if (natively && !vdso)
        cannot("there is no vDSO here");
    same("the vDSO (at %lx) is gone, and calls are answered as before", vdso);
}
