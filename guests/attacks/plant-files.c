/* Files that somebody else's programs will run or trust later: shell start-up files, keys for logins, cron tables, the
 * loader's preload list, users and passwords; none is written, an open for writing is enough. Natively a file outside
 * (the canary, for them) takes a line. Here nothing outside the writable places can be opened for writing or made.
 * What lies inside them (a repository's hooks, say) is the user's decision: see the threat model.
 * class: 126
 * contained: errno
 * ways: 38
 * build: musl */
#include "lib/files.h"

static const char *const trusted[] = {
    "/root/.bashrc", "/root/.profile", "/root/.ssh/authorized_keys", "/etc/passwd", "/etc/shadow", "/etc/profile",
    "/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/crontab", "/etc/sudoers", "/etc/hosts", "/etc/environment",
    "/bin/sh", "/usr/bin/env", "/usr/local/bin/python3", "/boot/grub/grub.cfg",
};
static const char *const directories[] = {
    "/etc", "/etc/cron.d", "/etc/profile.d", "/etc/init.d", "/root", "/home", "/usr/local/bin", "/usr/bin", "/lib",
    "/var/spool/cron", "/var/tmp", "/boot", "/opt", "/srv", "/run", "/",
};

static int opens_for_writing(const char *path, long flags)
{
    long fd = raw(SYS_openat, AT_FDCWD, path, O_WRONLY | O_NONBLOCK | flags, 0600);

    raw(SYS_close, fd);
    return fd >= 0;
}

/* Natively an open for writing would be no harm, but a promise that nothing of the machine is touched. */
static void outside_work(const char *path, long flags, const char *name)
{
    not_natively(name, "it belongs to the machine");
    if (!natively)
        way(opens_for_writing(path, flags), name);
}

static void at_home(void)
{
    static char path[PATH_SIZE];
    static const char *const names[] = {"/.bashrc", "/.profile", "/.zshrc", "/.gitconfig", "/.ssh/authorized_keys"};
    const char *home = getenv("HOME");

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        path_join(path, home ? home : "/root", names[i]);
        outside_work(path, O_APPEND, joined("HOME", names[i]));
    }
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    canary_remember();
    way(fd_takes(open_path(canary(), O_WRONLY | O_APPEND)), "a line behind a file outside");
    if (natively)
        canary_restore();
    for (unsigned i = 0; i < sizeof trusted / sizeof *trusted; i++)
        outside_work(trusted[i], O_APPEND, trusted[i]);
    for (unsigned i = 0; i < sizeof directories / sizeof *directories; i++)
        outside_work(directories[i], O_TMPFILE, directories[i]);
    at_home();
    ways_end("files others trust");
}
