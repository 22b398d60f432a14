/* Programs that run with another user's rights: set-user-ID files of the system, a copy of this program that root
 * makes set-user-ID for nobody, and one with file capabilities. Natively their effective user or capabilities change.
 * Here no_new_privs forbids it at every exec (prctl(2)), and a traced program gains nothing either.
 * class: 76
 * contained: errno
 * ways: 4
 * build: musl */
#include <sys/xattr.h>

#include "lib/files.h"

enum { NOBODY = 65534, TURNS = 200 };

static char copy[PATH_SIZE];
static int input[2];

static long run_copy(void *word)
{
    leave((int)-exec_stage_from(copy, word));
}

/* `passwd` and the like, waiting for a line that never comes. */
static long run_system_program(void *path)
{
    char *argv[] = {path, NULL};

    raw(SYS_dup2, input[0], 0);
    raw(SYS_close, input[1]);
    raw(SYS_execve, path, argv, environ);
    leave(1);
}

/* "Uid:\tREAL\tEFFECTIVE": true where the two differ. */
static int users_differ(const char *status)
{
    const char *at = strstr(status, "\nUid:");
    char *end;

    return at && strtol(at + 5, &end, 10) != strtol(end, &end, 10);
}

static int gains_user(char *path)
{
    static char name[64], status[4096];
    struct timespec pause = {0, 2000000};
    int gained = 0;
    long pid;

    if (raw(SYS_access, path, X_OK) < 0 || (pid = spawn_child(run_system_program, path)) < 0)
        return 0;
    path_join(name, "/proc/", decimal(pid));
    path_join(name + strlen(name), "/status", "");
    for (int i = 0; i < TURNS && !gained; i++) {
        long fd = open_path(name, O_RDONLY), got = raw(SYS_read, fd, status, sizeof status - 1);

        status[got > 0 ? got : 0] = 0;
        raw(SYS_close, fd);
        gained = users_differ(status);
        raw(SYS_nanosleep, &pause, NULL);
    }
    raw(SYS_kill, pid, SIGKILL);
    wait_for(pid);
    return gained;
}

static int copy_gains(const char *word)
{
    return exited_with(wait_for(spawn_child(run_copy, (void *)word)), GOT_THROUGH);
}

static void try_copy(void)
{
    /* A vfs_cap_data of version 2: permitted, with the effective bit, CAP_DAC_OVERRIDE (capabilities(7)). */
    static const unsigned capability[5] = {0x02000001, 1 << 1, 0, 0, 0};

    int made = copy_self(in_work(copy, "exec-setuid-copy"));

    way(made && raw(SYS_chown, copy, NOBODY, NOBODY) == 0 && raw(SYS_chmod, copy, 06755) == 0 && copy_gains("user"),
        "a set-user-ID copy");
    way(made && raw(SYS_chown, copy, 0, 0) == 0 && raw(SYS_chmod, copy, 0755) == 0 &&
            raw(SYS_setxattr, copy, "security.capability", capability, sizeof capability, 0) == 0 &&
            copy_gains("capability"),
        "a copy with file capabilities");
    raw(SYS_unlink, copy);
}

/* Where we are root, only a program that is not can gain capabilities. */
static void as_stage(const char *now)
{
    unsigned header[2] = {0x20080522, 0}, data[6] = {0};

    if (same_text(now, "user"))
        leave(raw(SYS_geteuid) == NOBODY && raw(SYS_getuid) != NOBODY ? GOT_THROUGH : 0);
    if (same_text(now, "capability") && raw(SYS_getuid) == 0) {
        raw(SYS_setresuid, NOBODY, NOBODY, NOBODY);
        exec_stage("capability");
    }
    raw(SYS_capget, header, data);
    leave(data[0] ? GOT_THROUGH : 0);
}

int main(int argc, char **argv)
{
    const char *now = stage(argc, argv);

    attack_start(argc, argv);
    if (*now)
        as_stage(now);
    if (raw(SYS_pipe, input) < 0)
        unreached("no pipe for the program to wait at");
    way(raw(SYS_getuid) != 0 && gains_user("/usr/bin/su"), "su");
    way(raw(SYS_getuid) != 0 && gains_user("/usr/bin/passwd"), "passwd");
    try_copy();
    if (!ways_open)
        cannot("no set-user-ID program gains anything for this user");
    ways_end("rights of another user");
}
