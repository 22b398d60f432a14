/* The other doors to the secret: openat2 with each RESOLVE flag, O_PATH descriptors reopened and read in every way,
 * empty paths (AT_EMPTY_PATH), O_NOFOLLOW and AT_SYMLINK_NOFOLLOW on links, mapping, sendfile and splice from what is
 * open. Natively it is read. Here openat2 is refused, since its flags lie in memory, and Landlock judges every open.
 * class: 118
 * contained: errno
 * ways: 14
 * build: musl */
#include <linux/openat2.h>
#include <sys/mman.h>

#include "lib/files.h"

static void by_openat2(void)
{
    static const unsigned long resolve[] = {
        0, RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_IN_ROOT, RESOLVE_CACHED,
    };
    static char directory[PATH_SIZE];
    const char *name = path_split(secret(), directory);
    long parent = open_path(directory, O_PATH | O_DIRECTORY), root = open_path("/", O_PATH | O_DIRECTORY);

    for (unsigned i = 0; i < sizeof resolve / sizeof *resolve; i++) {
        struct open_how how = {.flags = O_RDONLY, .resolve = resolve[i]};

        way(fd_tells(raw(SYS_openat2, AT_FDCWD, secret(), &how, sizeof how)), "openat2");
        way(fd_tells(raw(SYS_openat2, root, secret(), &how, sizeof how)), "openat2 from the root");
        how.resolve |= i ? 0 : RESOLVE_BENEATH;
        way(fd_tells(raw(SYS_openat2, parent, name, &how, sizeof how)), "openat2 from its directory");
    }
    raw(SYS_close, parent);
    raw(SYS_close, root);
}

/* A descriptor that names the file and gives no right to it. */
static void by_path_descriptor(void)
{
    static char bytes[256];
    long fd = open_path(secret(), O_PATH), map;

    way(raw(SYS_read, fd, bytes, sizeof bytes) > 0, "read of an O_PATH descriptor");
    map = raw(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    way(map > 0 && holds((char *)map, 64, SECRET_MARK), "mmap of an O_PATH descriptor");
    way(fd_tells(raw(SYS_openat, fd, "", O_RDONLY)), "openat with an empty path");
    way(fd_tells(raw(SYS_dup, fd)), "a copy of an O_PATH descriptor");
    raw(SYS_fcntl, fd, F_SETFL, O_RDONLY);
    way(fd_tells(fd), "an O_PATH descriptor, its flags set");
}

static void by_link_flags(void)
{
    static char link[PATH_SIZE];

    raw(SYS_symlink, secret(), in_work(link, "link-1"));
    way(fd_tells(open_path(link, O_RDONLY | O_NOFOLLOW)), "a link with O_NOFOLLOW");
    way(fd_tells(open_path(link, O_RDONLY)), "a link");
    way(fd_tells(open_path(link, O_RDONLY | O_DIRECT)), "a link with O_DIRECT");
    raw(SYS_unlink, link);
}

/* Flags that make open something else than reading, and reading besides. */
static void by_open_flags(void)
{
    static const long flags[] = {O_RDWR, O_ASYNC, O_SYNC, O_NOATIME, O_CLOEXEC, O_NOCTTY, 3, O_LARGEFILE, 0x40000000};

    for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++) {
        way(fd_tells(open_path(secret(), flags[i])), "open with other flags");
        way(fd_tells(raw(SYS_openat, AT_FDCWD, secret(), flags[i] | 1L << 32)), "open with high bits in the flags");
    }
}

/* A descriptor of another kind, to which the kernel copies. */
static void by_copy(void)
{
    static char bytes[256];
    long from = open_path(secret(), O_RDONLY), to = raw(SYS_memfd_create, "copy", 0);

    raw(SYS_sendfile, to, from, NULL, sizeof bytes);
    raw(SYS_lseek, to, 0, SEEK_SET);
    way(fd_tells(to), "sendfile");
    raw(SYS_close, from);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    by_openat2();
    by_path_descriptor();
    by_link_flags();
    by_open_flags();
    by_copy();
    ways_end("doors to a file");
}
