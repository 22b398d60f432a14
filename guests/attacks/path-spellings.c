/* The secret by other spellings of its path: doubled slashes, `.` and `..`, from the root and from the working
 * directory, relative to an open directory, through a path of nearly 4 KiB, and through the guest's own symbolic
 * links and chains of them. Natively all give it. Here Landlock judges the file that is found, whatever its path.
 * class: 116
 * contained: errno
 * ways: 15
 * build: musl */
#include "lib/files.h"

static char spelled[PATH_SIZE];

/* Every slash of the path replaced. */
static const char *with_slashes(const char *slash)
{
    const char *path = secret();
    size_t length = 0;

    for (; *path; path++)
        if (*path == '/') {
            memcpy(spelled + length, slash, strlen(slash));
            length += strlen(slash);
        } else {
            spelled[length++] = *path;
        }
    spelled[length] = 0;
    return spelled;
}

/* `prefix` many times, then the path: at most what a path may hold. */
static const char *behind(const char *prefix, int times)
{
    size_t room = 4095 - strlen(secret()), size = strlen(prefix), length = 0;

    while (times-- > 0 && length + size <= room) {
        memcpy(spelled + length, prefix, size);
        length += size;
    }
    path_join(spelled + length, secret(), "");
    return spelled;
}

static void by_spelling(void)
{
    way(path_tells(secret()), "its own path");
    way(path_tells(with_slashes("//")), "doubled slashes");
    way(path_tells(with_slashes("/./")), "dots");
    way(path_tells(behind("/..", 8)), "dots above the root");
    way(path_tells(behind("/usr/..", 600)), "a path of 4 KiB");
    way(path_tells(behind("../../../../../../../../..", 1)), "dots above the working directory");
    way(path_tells(behind("/proc/self/../..", 3)), "a way through /proc");
    way(path_tells(behind("/usr/lib/../../dev/..", 2)), "a way through allowed directories");
}

static void by_directory(void)
{
    static char directory[PATH_SIZE];
    const char *name = path_split(secret(), directory);
    long fd = open_path(directory, O_RDONLY | O_DIRECTORY), path_only;

    way(fd_tells(raw(SYS_openat, fd, name, O_RDONLY)), "a name in an open directory");
    path_only = open_path(directory, O_PATH | O_DIRECTORY);
    way(fd_tells(raw(SYS_openat, path_only, name, O_RDONLY)), "a name in a directory opened with O_PATH");
    way(fd_tells(raw(SYS_openat, 9999, secret(), O_RDONLY)), "an absolute path with a bad descriptor");
    path_join(spelled, "../outside/", name);
    way(path_tells(spelled), "a path from the working directory");
    raw(SYS_close, fd);
    raw(SYS_close, path_only);
}

static void by_links(void)
{
    static char first[PATH_SIZE], second[PATH_SIZE], through[PATH_SIZE], directory[PATH_SIZE];
    const char *name = path_split(secret(), directory);

    raw(SYS_symlink, secret(), in_work(first, "link-1"));
    raw(SYS_symlink, "link-1", in_work(second, "link-2"));
    way(path_tells(first), "a symbolic link");
    way(path_tells(second), "a link to a link");
    raw(SYS_unlink, first);
    raw(SYS_symlink, directory, first);
    path_join(through, first, "/");
    path_join(through + strlen(through), name, "");
    way(path_tells(through), "a link to the directory");
    raw(SYS_unlink, first);
    raw(SYS_unlink, second);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    by_spelling();
    by_directory();
    by_links();
    ways_end("spellings of a path");
}
