/* A filter of the guest's own that returns RET_TRACE with a number of its choice: of stacked filters the newest one's
 * number is what a tracer reads by PTRACE_GETEVENTMSG. Natively it is installed, and calls without a tracer get
 * ENOSYS. Here no filter can be installed, and the supervisor never looks at that number.
 * class: 36
 * contained: errno
 * ways: 3
 * build: musl */
#include "lib/filters.h"

int main(int argc, char **argv)
{
    struct sock_filter code[] = FILTER_GETPPID(SECCOMP_RET_TRACE | 0xbad);

    attack_start(argc, argv);
    attempt("getppid by a filter that asks for a tracer");
    if (install(code, 4, 0) < 0)
        install_by_prctl(code, 4);
    answered(natively && raw(SYS_getppid) == -ENOSYS);
    unless_refused(install(code, 4, 0), "seccomp(RET_TRACE)");
    unless_refused(install_by_prctl(code, 4), "prctl(RET_TRACE)");
    contained("no filter of the guest's own");
}
