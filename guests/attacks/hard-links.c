/* A second name, in the writable place, for a file outside it: by link, by linkat with AT_EMPTY_PATH on a descriptor
 * and with AT_SYMLINK_FOLLOW through /proc, and by renaming the file itself. A sandbox that goes by names then gives
 * it away. Natively the secret is read and the canary written by the new name. Here Landlock gives a file no more
 * rights by a new name than it had (LANDLOCK_ACCESS_FS_REFER), and protected_hardlinks adds to that.
 * class: 121
 * contained: errno
 * ways: 9
 * build: musl */
#include "lib/files.h"

static char link_name[PATH_SIZE];

static void links_to(const char *file, long fd, int (*check)(const char *), const char *of)
{
    static char magic[64];

    path_join(magic, "/proc/self/fd/", decimal(fd));
    way(raw(SYS_link, file, link_name) == 0 && check(link_name), joined(of, "link"));
    raw(SYS_unlink, link_name);
    way(raw(SYS_linkat, AT_FDCWD, file, AT_FDCWD, link_name, 0) == 0 && check(link_name), joined(of, "linkat"));
    raw(SYS_unlink, link_name);
    way(raw(SYS_linkat, fd, "", AT_FDCWD, link_name, AT_EMPTY_PATH) == 0 && check(link_name),
        joined(of, "linkat, empty path"));
    raw(SYS_unlink, link_name);
    way(raw(SYS_linkat, AT_FDCWD, magic, AT_FDCWD, link_name, AT_SYMLINK_FOLLOW) == 0 && check(link_name),
        joined(of, "linkat through /proc"));
    raw(SYS_unlink, link_name);
}

static int takes_by_name(const char *path)
{
    return fd_takes(open_path(path, O_WRONLY));
}

int main(int argc, char **argv)
{
    long from;

    attack_start(argc, argv);
    in_work(link_name, "hard-link");
    from = open_path(secret(), O_PATH);
    links_to(secret(), from, path_tells, "the secret by ");
    way(raw(SYS_rename, secret(), link_name) == 0, "the secret renamed");
    raw(SYS_rename, link_name, secret());
    canary_remember();
    links_to(canary(), open_path(canary(), O_PATH), takes_by_name, "the canary by ");
    if (natively)
        canary_restore();
    ways_end("second names");
}
