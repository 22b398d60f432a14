/* Giving up descriptors, for children that run C only: async-signal-safe. */

enum { CLOSE_NOW = 0, CLOSE_AT_EXECVE = 4 }; /* CLOSE_AT_EXECVE: CLOSE_RANGE_CLOEXEC (Linux 5.11) */

static void give_up(int fd, int when)
{
    if (when == CLOSE_NOW)
        close(fd);
    else
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* struct linux_dirent64 (getdents64(2)) */
struct directory_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

/* -1 for what is no number ("." and ".."). */
static int descriptor_of(const char *name)
{
    int fd = 0;

    for (; *name; name++) {
        if (*name < '0' || *name > '9')
            return -1;
        fd = fd * 10 + (*name - '0');
    }
    return fd;
}

/* What /proc lists from `first` on. The kernel goes through it by number, so closing while reading skips none. */
static int give_up_listed(unsigned first, int when)
{
    static char data[4096] __attribute__((aligned(8)));
    int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long got;

    if (directory < 0)
        return -1;
    while ((got = syscall(SYS_getdents64, directory, data, sizeof data)) > 0) {
        for (long at = 0; at < got;) {
            struct directory_entry *entry = (struct directory_entry *)(data + at);
            int fd = descriptor_of(entry->name);

            if (fd >= 0 && (unsigned)fd >= first && fd != directory)
                give_up(fd, when);
            at += entry->length;
        }
    }
    close(directory);
    return got < 0 ? -1 : 0;
}

/* Gives up descriptors `first` to `last`. Without close_range(2), one by one: the limit on them tells how far, but not
 * of those that were open when it was lowered, so the last range goes by /proc, too. */
static int give_up_range(unsigned first, unsigned last, int when)
{
    struct rlimit limit;

    if (syscall(SYS_close_range, first, last, when) == 0)
        return 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -1;
    for (rlim_t fd = first; fd < limit.rlim_cur && fd <= last; fd++)
        give_up((int)fd, when);
    return last == ~0u ? give_up_listed(first, when) : 0;
}

/* Closes every descriptor but these, which it puts in order. */
static int give_up_all_but(int *kept, size_t count)
{
    unsigned first = 0;

    for (size_t i = 1; i < count; i++) {
        for (size_t at = i; at > 0 && kept[at - 1] > kept[at]; at--) {
            int other = kept[at];

            kept[at] = kept[at - 1];
            kept[at - 1] = other;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if ((unsigned)kept[i] > first && give_up_range(first, (unsigned)kept[i] - 1, CLOSE_NOW) < 0)
            return -1;
        first = (unsigned)kept[i] + 1;
    }
    return give_up_range(first, ~0u, CLOSE_NOW);
}
