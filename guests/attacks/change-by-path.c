/* Changes to the canary and its directory by path: truncate, unlink, rename over and away, exchange, mode, owner,
 * times, attributes, new directories and links beside it; and the way around a rule about a path: move the directory
 * into the writable place, write the file there, and move it back. Natively each works (and is put back). Here Landlock
 * refuses each outside the writable places, moving in and out of them included.
 * class: 120
 * contained: errno
 * ways: 16
 * build: musl */
#include "lib/files.h"

static char directory[PATH_SIZE], beside[PATH_SIZE], inside[PATH_SIZE], moved[PATH_SIZE];
static const char *name;

static void in_place(void)
{
    long times[4] = {1, 0, 1, 0};

    way(raw(SYS_truncate, canary(), 3) == 0, "truncate");
    way(raw(SYS_chmod, canary(), 0600) == 0, "chmod");
    way(raw(SYS_chown, canary(), raw(SYS_getuid), raw(SYS_getgid)) == 0, "chown");
    way(raw(SYS_utimensat, AT_FDCWD, canary(), times, 0) == 0, "utimensat");
    way(raw(SYS_setxattr, canary(), "user.attack", "x", 1, 0) == 0, "setxattr");
    raw(SYS_removexattr, canary(), "user.attack");
    canary_restore();
}

static void beside_it(void)
{
    way(raw(SYS_mkdir, beside, 0700) == 0, "mkdir");
    raw(SYS_rmdir, beside);
    way(raw(SYS_symlink, "x", beside) == 0, "symlink");
    raw(SYS_unlink, beside);
    way(raw(SYS_mknod, beside, S_IFREG | 0600, 0) == 0, "mknod");
    raw(SYS_unlink, beside);
    way(raw(SYS_link, canary(), beside) == 0, "link");
    raw(SYS_unlink, beside);
}

static void by_rename(void)
{
    long fd = open_path(inside, O_WRONLY | O_CREAT);

    raw(SYS_close, fd);
    way(raw(SYS_rename, canary(), beside) == 0, "rename in its directory");
    raw(SYS_rename, beside, canary());
    way(raw(SYS_renameat2, AT_FDCWD, inside, AT_FDCWD, canary(), 2 /* RENAME_EXCHANGE */) == 0, "exchange");
    canary_restore();
    way(raw(SYS_rename, canary(), inside) == 0, "rename into the writable place");
    way(raw(SYS_rename, inside, canary()) == 0, "rename over it");
    way(raw(SYS_unlink, canary()) == 0, "unlink");
    raw(SYS_unlink, inside);
    canary_restore();
}

/* mv DIRECTORY work; write work/...; mv back. */
static void by_moving_around(void)
{
    static char file[PATH_SIZE];

    in_work(moved, "moved");
    way(raw(SYS_rename, directory, moved) == 0, "its directory moved into the writable place");
    path_join(file, moved, "/");
    path_join(file + strlen(file), name, "");
    way(fd_takes(open_path(file, O_WRONLY)), "written there");
    raw(SYS_rename, moved, directory);
    canary_restore();
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    name = path_split(canary(), directory);
    path_join(beside, directory, "/beside");
    in_work(inside, "inside");
    canary_remember();
    in_place();
    beside_it();
    by_rename();
    by_moving_around();
    if (natively)
        raw(SYS_chmod, canary(), 0666);
    ways_end("changes by path");
}
