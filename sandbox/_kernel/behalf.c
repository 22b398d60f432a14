/* What the supervisor does on a guest's behalf: with the guest's rights to files, and on what the guest named. */

enum { SYS_OPENAT2 = 437, SYS_FACCESSAT2 = 439, PROC_MAGIC = 0x9fa0 };

/* Who the supervisor is, while it acts as a guest. */
static struct {
    int changed; /* its user as well as its capabilities */
    int dumpable;
    int group_count;
    gid_t *groups;
    struct __user_cap_data_struct capabilities[2];
} own;

static int set_capabilities(const struct __user_cap_data_struct *sets)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };

    return (int)syscall(SYS_capset, &header, sets);
}

static int remember_groups(void)
{
    if (own.groups)
        return 0;
    own.group_count = getgroups(0, NULL);
    if (own.group_count < 0)
        return -1;
    own.groups = calloc((size_t)own.group_count + 1, sizeof *own.groups);
    if (own.groups && getgroups(own.group_count, own.groups) == own.group_count)
        return 0;
    free(own.groups);
    own.groups = NULL;
    return -1;
}

/* Files are judged by these ids (credentials(7)); signals and tracing go by others, which stay. Neither says whether it
 * worked: asking for an impossible id tells the one there is. */
static int set_file_ids(uid_t uid, gid_t gid)
{
    syscall(SYS_setfsgid, gid);
    syscall(SYS_setfsuid, uid);
    if ((uid_t)syscall(SYS_setfsuid, -1) == uid && (gid_t)syscall(SYS_setfsgid, -1) == gid)
        return 0;
    errno = EPERM;
    return -1;
}

/* To its own rights again. Dumpable it was or not, a change of these ids makes it what fs.suid_dumpable says. */
int sb_act_self(void)
{
    if (own.changed) {
        syscall(SYS_setfsuid, geteuid());
        if (set_capabilities(own.capabilities) < 0 || set_file_ids(geteuid(), getegid()) < 0 ||
            syscall(SYS_setgroups, own.group_count, own.groups) < 0 ||
            prctl(PR_SET_DUMPABLE, own.dumpable, 0, 0, 0) < 0)
            return -errno;
    }
    return set_capabilities(own.capabilities) < 0 ? -errno : 0;
}

/* From here on to sb_act_self, the calling thread reaches no file that the guest could not by its user, its group and no
 * capability. With `change` the guest is `uid` and `gid` and has no other groups; else it is who we are. */
int sb_act_as(int change, uint32_t uid, uint32_t gid)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct sets[2];
    int error;

    if (remember_groups() < 0 || syscall(SYS_capget, &header, own.capabilities) < 0)
        return -errno;
    own.dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
    own.changed = change;
    memcpy(sets, own.capabilities, sizeof sets);
    sets[0].effective = sets[1].effective = 0;
    if ((!change || (syscall(SYS_setgroups, 0, NULL) == 0 && set_file_ids(uid, gid) == 0)) && set_capabilities(sets) == 0)
        return 0;
    error = errno;
    sb_act_self();
    return -error;
}

/* Whether the supervisor has a capability that its guests have not. */
int sb_has_capabilities(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct sets[2];

    if (syscall(SYS_capget, &header, sets) < 0)
        return -errno;
    return sets[0].effective || sets[1].effective;
}

/* openat2(2), Linux 5.6: the new descriptor. */
int sb_open(int directory, const char *path, uint64_t flags, uint64_t resolve)
{
    uint64_t how[3] = { flags, 0, resolve };
    long fd = syscall(SYS_OPENAT2, directory, path, how, sizeof how);

    return fd < 0 ? -errno : (int)fd;
}

/* Whether a descriptor is of a file of procfs. */
int sb_is_proc(int fd)
{
    struct statfs facts;

    return fstatfs(fd, &facts) < 0 ? -errno : facts.f_type == PROC_MAGIC;
}

/* Whether whoever we act as may do `mode` with the file of an O_PATH descriptor: 0 if so (faccessat2(2), Linux 5.8). */
int sb_may(int fd, int mode)
{
    return syscall(SYS_FACCESSAT2, fd, "", mode, AT_EACCESS | AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* utimensat(2): seconds and nanoseconds, UTIME_NOW and UTIME_OMIT among them, of access and modification. */
int sb_set_times(const char *path, const int64_t *times)
{
    struct timespec both[2] = { { times[0], times[1] }, { times[2], times[3] } };

    return utimensat(AT_FDCWD, path, both, 0) < 0 ? -errno : 0;
}
