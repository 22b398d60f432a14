/* Another process's memory and pages without ptrace: process_vm_readv and process_vm_writev, process_madvise,
 * process_mrelease, moving its pages, comparing its descriptors. Natively the victim's cookie is read, and written
 * with the bytes it holds. Here all of these are refused, on the victim and on the supervisor.
 * class: 88
 * contained: errno
 * ways: 6
 * build: musl */
#include <sys/uio.h>

#include "lib/ways.h"

/* Anything but a refusal says that the kernel was ready to do it; EINVAL and EBADF that it was not. */
static int reached(long result)
{
    return !is_refusal(result) && result != -EINVAL && result != -EBADF;
}

static void try_memory(long pid, unsigned long at)
{
    char bytes[16] = {0};
    struct iovec here = {bytes, sizeof bytes}, there = {(void *)at, sizeof bytes};

    way(reached(raw(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0)), "process_vm_readv");
    if (!natively || holds(bytes, sizeof bytes, COOKIE_MARK))
        way(reached(raw(SYS_process_vm_writev, pid, &here, 1, &there, 1, 0)), "process_vm_writev");
}

static void try_pages(long pid, unsigned long at)
{
    void *pages[1] = {(void *)(at & ~4095UL)};
    struct iovec there = {pages[0], 4096};
    long fd = raw(SYS_pidfd_open, pid, 0);
    int status[1];

    way(raw(SYS_process_madvise, fd, &there, 1, 20 /* MADV_COLD */, 0) >= 0, "process_madvise");
    way(raw(SYS_move_pages, pid, 1, pages, NULL, status, 0) == 0, "move_pages");
    way(raw(SYS_kcmp, pid, raw(SYS_getpid), 2 /* KCMP_FILES */, 0, 0) >= 0, "kcmp");
    not_natively("process_mrelease", "the victim would lose its memory");
    if (!natively)
        way(raw(SYS_process_mrelease, fd, 0) == 0, "process_mrelease");
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    try_memory(victim(), victim_cookie());
    try_pages(victim(), victim_cookie());
    if (!natively) {
        try_memory(supervisor(), 0x1000);
        try_pages(supervisor(), 0x1000);
    }
    ways_end("another process's memory");
}
