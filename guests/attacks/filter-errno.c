/* A filter of the guest's own that answers calls with an errno, a trap or death before the supervisor sees them: what
 * it believes of the guest's state is then wrong. By seccomp and by prctl, with prctl's option spelt with high bits
 * too. Natively it answers getppid. Here neither call installs one.
 * class: 35
 * contained: errno
 * ways: 2
 * build: musl */
#include "lib/filters.h"

int main(int argc, char **argv)
{
    struct sock_filter code[] = FILTER_GETPPID(SECCOMP_RET_ERRNO | EOWNERDEAD);
    struct sock_fprog program = {.len = 4, .filter = code};

    attack_start(argc, argv);
    attempt("a filter that answers getppid");
    install(code, 4, 0);
    install_by_prctl(code, 4);
    raw(SYS_prctl, 1UL << 32 | PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
    raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program);
    answered(raw(SYS_getppid) == -EOWNERDEAD);
    not_natively("prctl(SECCOMP_MODE_STRICT)", "nothing can be said after it");
    if (!natively)
        unless_refused(raw(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0), "prctl(SECCOMP_MODE_STRICT)");
    contained("no filter of the guest's own");
}
