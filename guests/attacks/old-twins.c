/* Older twins of calls that a policy decides: open and creat for openat, truncate, rename, unlink, chmod, utime, link,
 * symlink, mknod, mkdir; fork and vfork are in fork-numbers. Natively each changes what is outside. Here those
 * that change files are refused, or confined by Landlock.
 * class: 15
 * contained: errno
 * ways: 13
 * build: musl */
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/tasks.h"

/* A policy may give a file opened for writing for reading only. */
static void try_write(long fd, const char *what)
{
    unless_refused(fd < 0 ? fd : raw(SYS_write, fd, "changed", 7), what);
}

int main(int argc, char **argv)
{
    static char beside[4096];

    attack_start(argc, argv);
    strcpy(beside, joined(canary(), ".new"));
    try_write(raw(SYS_open, canary(), O_WRONLY | O_TRUNC), "open for writing outside");
    try_write(raw(SYS_open, canary(), O_RDWR | O_APPEND), "open for appending outside");
    unless_refused(raw(SYS_open, beside, O_RDONLY | O_CREAT, 0600), "open(O_RDONLY|O_CREAT) outside");
    raw(SYS_unlink, beside);
    unless_refused(raw(SYS_creat, beside, 0600), "creat outside");
    raw(SYS_unlink, beside);
    unless_refused(raw(SYS_truncate, canary(), 0), "truncate outside");
    unless_refused(raw(SYS_rename, canary(), beside), "rename outside");
    raw(SYS_rename, beside, canary());
    unless_refused(raw(SYS_link, canary(), beside), "link outside");
    raw(SYS_unlink, beside);
    unless_refused(raw(SYS_symlink, "/", beside), "symlink outside");
    raw(SYS_unlink, beside);
    unless_refused(raw(SYS_mknod, beside, S_IFIFO | 0600, 0), "mknod outside");
    raw(SYS_unlink, beside);
    unless_refused(raw(SYS_mkdir, beside, 0700), "mkdir outside");
    unless_refused(raw(SYS_unlink, canary()), "unlink outside");
    raw(SYS_close, raw(SYS_creat, canary(), 0666));
    unless_refused(raw(SYS_chmod, canary(), 0600), "chmod outside");
    unless_refused(raw(SYS_utime, canary(), NULL), "utime outside");
    contained("every older twin is refused");
}
