/* Paths that break readers: NULL, one at address 1, in the kernel's half, 64 KiB long, empty, not UTF-8, with newlines
 * and escape sequences. A supervisor that fails over one must not let the call pass, or leave the program unwatched;
 * and the log must stay whole. The kernel refuses them, so natively there is nothing to show.
 * class: 29
 * contained: errno
 * ways: 5
 * build: musl */
#include <fcntl.h>

#include "lib/tasks.h"

static char longest[65536];

static void try_path(const void *path)
{
    char *words[] = {"\xff\xfe\n\x1b[2J", (char *)path, NULL};

    unless_refused(raw(SYS_open, path, O_WRONLY | O_CREAT, 0600), "open of an odd path");
    unless_refused(raw(SYS_openat, -1, path, O_WRONLY | O_CREAT, 0600), "openat of an odd path");
    unless_refused(raw(SYS_openat, 0xffffffff00000000UL - 100, path, O_RDWR), "openat of an odd path");
    unless_refused(raw(SYS_execve, path, words, words), "execve of an odd path");
    unless_refused(raw(SYS_execve, path, (void *)1, (void *)-1), "execve of an odd path");
    unless_refused(raw(SYS_chdir, path), "chdir to an odd path");
    unless_refused(raw(SYS_unlink, path), "unlink of an odd path");
    expect_supervised();
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    memset(longest, 'x', sizeof longest - 1);
    try_path(NULL);
    try_path((void *)1);
    try_path((void *)0xffffffff81000000);
    try_path((void *)0x8000000000000000);
    try_path((void *)-1);
    try_path(longest);
    try_path("");
    try_path("none/\xff\xfe\xfd/\xc0\x80");
    try_path("none/\n{\"v\":1,\"seq\":0}\n\x1b]0;title\a\x1b[31m%s%n");
    cannot("no odd path got anywhere, and the program is supervised as before");
}
