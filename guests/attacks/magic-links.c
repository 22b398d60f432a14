/* The secret through /proc's magic links, which lead where no path does: root, cwd and descriptors of this process,
 * of its threads, of the victim and of the supervisor, and their working directories. Natively it is read. Here
 * Landlock judges what is behind a link, and forbids other processes' links.
 * class: 117
 * contained: errno
 * build: musl */
#include "lib/files.h"

static char path[PATH_SIZE];

static const char *below(const char *link, const char *rest)
{
    path_join(path, link, rest);
    return path;
}

static void of_process(const char *directory)
{
    static char link[PATH_SIZE];

    path_join(link, directory, "/root");
    way(path_tells(below(link, secret())), "root");
    path_join(link, directory, "/task/self/root");
    way(path_tells(below(link, secret())), "root of a task");
    path_join(link, directory, "/cwd/../outside/");
    way(path_tells(below(link, strrchr(secret(), '/') + 1)), "cwd");
    path_join(link, directory, "/exe/../../../..");
    way(path_tells(below(link, secret())), "exe");
}

/* Of a file that may be named but not opened, and of one's directory. */
static void of_descriptor(void)
{
    static char link[PATH_SIZE], directory[PATH_SIZE];
    const char *name = path_split(secret(), directory);
    long file = open_path(secret(), O_PATH), parent = open_path(directory, O_PATH | O_DIRECTORY);

    path_join(link, "/proc/self/fd/", decimal(file));
    way(path_tells(link), "a descriptor opened with O_PATH");
    path_join(link, "/dev/fd/", decimal(file));
    way(path_tells(link), "the same by /dev/fd");
    path_join(link, "/proc/thread-self/fd/", decimal(file));
    way(path_tells(link), "the same by thread-self");
    path_join(link, "/proc/self/fd/", decimal(parent));
    path_join(link + strlen(link), "/", name);
    way(path_tells(link), "a file below a directory's descriptor");
    raw(SYS_close, file);
    raw(SYS_close, parent);
}

static void of_other(long pid)
{
    static char directory[PATH_SIZE], link[PATH_SIZE];

    path_join(directory, "/proc/", decimal(pid));
    of_process(directory);
    for (long fd = 0; fd < 10; fd++) {
        path_join(link, directory, "/fd/");
        path_join(link + strlen(link), decimal(fd), "");
        way(fd_takes(natively ? -1 : open_path(link, O_WRONLY | O_NONBLOCK)), "another's descriptor, to write");
        way(open_path(link, O_RDONLY | O_NONBLOCK) >= 0, "another's descriptor");
    }
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    of_process("/proc/self");
    of_process("/proc/thread-self");
    of_descriptor();
    of_other(victim());
    if (!natively)
        of_other(supervisor());
    ways_end("magic links");
}
