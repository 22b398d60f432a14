/* Controls of the processor that belong to the process: the time-stamp counter off or on (PR_SET_TSC), mitigations of
 * speculation off (PR_SET_SPECULATION_CTRL), faults at CPUID. With them a program hides from whoever measures it, or
 * helps itself to a side channel. Natively PR_SET_TSC works. Here prctl and arch_prctl take only what is listed. The
 * counter itself can be read: side channels are not promised against.
 * class: 134
 * contained: errno
 * ways: 6
 * build: musl */
#include <sys/prctl.h>

#include "lib/ways.h"

enum { ARCH_SET_CPUID_FAULTS = 0x1012 };

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    way(raw(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV) == 0, "PR_SET_TSC, off");
    way(raw(SYS_prctl, PR_SET_TSC, PR_TSC_ENABLE) == 0, "PR_SET_TSC, on");
    way(raw(SYS_prctl, PR_SET_TSC | 1L << 32, PR_TSC_ENABLE) == 0, "PR_SET_TSC with high bits");
    way(raw(SYS_prctl, PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_ENABLE, 0, 0) == 0, "store bypass");
    way(raw(SYS_prctl, PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_ENABLE, 0, 0) == 0, "branches");
    way(raw(SYS_arch_prctl, ARCH_SET_CPUID_FAULTS, 1) == 0, "CPUID without faults");
    ways_end("controls of the processor");
}
