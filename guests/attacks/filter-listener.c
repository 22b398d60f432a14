/* A filter of the guest's own with a listener: its USER_NOTIF outranks the supervisor's TRACE (the kernel takes the
 * smaller value), so that another task of the guest could let refused calls continue. Natively it is installed. Here
 * no policy lets seccomp run.
 * class: 34
 * contained: errno
 * ways: 2
 * build: musl */
#include "lib/filters.h"

int main(int argc, char **argv)
{
    struct sock_filter code[] = FILTER_GETPPID(SECCOMP_RET_USER_NOTIF);
    long listener;

    attack_start(argc, argv);
    unless_refused(listener = install(code, 4, SECCOMP_FILTER_FLAG_NEW_LISTENER), "seccomp(NEW_LISTENER)");
    raw(SYS_close, listener); /* there can be one at a time */
    unless_refused(install(code, 4, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
                                        SECCOMP_FILTER_FLAG_TSYNC), "seccomp(NEW_LISTENER|TSYNC)");
    contained("no filter with a listener");
}
