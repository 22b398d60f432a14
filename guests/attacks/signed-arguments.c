/* Process numbers the kernel takes as signed 32 bits, given as 64: the victim's with high bits set, and -1, everybody,
 * as 0xffffffff. A supervisor that reads 64 bits finds nobody and lets the call pass. Natively the victim dies. Here
 * the supervisor reads them as the kernel does.
 * class: 11
 * contained: errno
 * ways: 8
 * build: musl */
#include <fcntl.h>
#include <sys/resource.h>

#include "lib/tasks.h"

static const unsigned long high[] = {0, 1UL << 32, 1UL << 63, 0xffffffff00000000UL};

int main(int argc, char **argv)
{
    struct rlimit limit = {.rlim_cur = 7, .rlim_max = 7};
    siginfo_t info = {.si_signo = SIGTERM, .si_code = SI_QUEUE};

    attack_start(argc, argv);
    for (unsigned i = sizeof high / sizeof *high; i-- > 0;) {
        unsigned long pid = high[i] | (unsigned long)victim();

        unless_refused(raw(SYS_kill, pid, SIGTERM), "kill(victim)");
        unless_refused(raw(SYS_tgkill, pid, pid, SIGTERM), "tgkill(victim)");
        unless_refused(raw(SYS_tkill, pid, SIGTERM), "tkill(victim)");
        unless_refused(raw(SYS_rt_sigqueueinfo, pid, SIGTERM, &info), "rt_sigqueueinfo(victim)");
        unless_refused(raw(SYS_pidfd_open, pid, 0), "pidfd_open(victim)");
        unless_refused(raw(SYS_prlimit64, pid, RLIMIT_NOFILE, &limit, NULL), "prlimit64(victim)");
        unless_refused(raw(SYS_setpriority, high[i] | PRIO_PROCESS, pid, 5), "setpriority(victim)");
        unless_refused(raw(SYS_kill, high[i] | 0xffffffffUL, 0), "kill(-1) of everybody");
    }
    contained("no spelling of the victim's number reaches it");
}
