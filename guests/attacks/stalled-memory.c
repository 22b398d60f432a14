/* Memory whose reader waits for the guest: userfaultfd, by its call or its device. A supervisor that reads a path there
 * is stopped for as long as the guest likes, or the moment between its look and the kernel's grows without bound. (A
 * file of a FUSE server would do the same, and needs mount.) Natively userfaultfd is given. Here it is refused.
 * class: 30
 * contained: errno
 * ways: 3
 * build: musl */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include "lib/attack.h"

int main(int argc, char **argv)
{
    long fd;

    attack_start(argc, argv);
    unless_refused(raw(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY), "userfaultfd(UFFD_USER_MODE_ONLY)");
    unless_refused(raw(SYS_userfaultfd, 0), "userfaultfd");
    fd = raw(SYS_open, "/dev/userfaultfd", O_RDONLY);
    unless_refused(raw(SYS_ioctl, fd, USERFAULTFD_IOC_NEW, O_CLOEXEC), "userfaultfd by its device");
    contained("no memory that stalls its reader");
}
