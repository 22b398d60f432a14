/* The secret through /proc's magic links, which lead where no path does: root, cwd and descriptors of this process,
 * of its threads, of the victim and of the supervisor, and their working directories. Natively it is read. Here
 * Landlock judges what is behind a link, and forbids other processes' links.
 * class: 117
 * contained: errno
 * ways: 22
 * build: musl */
#include "lib/files.h"

static char path[PATH_SIZE];

static const char *below(const char *link, const char *rest)
{
    path_join(path, link, rest);
    return path;
}

/* `directory` is /proc/self and its like, whose working directory is `cwd`. */
static void of_process(const char *directory, const char *cwd, const char *whose)
{
    static char link[PATH_SIZE];

    path_join(link, directory, "/root");
    way(path_tells(below(link, secret())), joined("root of ", whose));
    path_join(link, directory, "/cwd");
    path_join(link + strlen(link), cwd, secret());
    way(path_tells(link), joined("cwd of ", whose));
}

static const char *of_task(const char *process, long pid)
{
    static char directory[PATH_SIZE];

    path_join(directory, process, "/task/");
    path_join(directory + strlen(directory), decimal(pid), "");
    return directory;
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

/* Standard input and output, and what the program is: what every process has. Natively nothing is written. */
static void of_other(long pid, const char *whose)
{
    static char directory[PATH_SIZE], link[PATH_SIZE];

    path_join(directory, "/proc/", decimal(pid));
    of_process(directory, "", whose);
    path_join(link, directory, "/exe");
    way(open_path(link, O_RDONLY) >= 0, joined("exe of ", whose));
    for (long fd = 0; fd < 3; fd++) {
        long opened;

        path_join(link, directory, "/fd/");
        path_join(link + strlen(link), decimal(fd), "");
        way(open_path(link, O_RDONLY | O_NONBLOCK) >= 0, joined("a descriptor of ", whose));
        attempt(joined("a descriptor, to write, of ", whose));
        opened = open_path(link, O_WRONLY | O_NONBLOCK);
        answered(natively ? opened >= 0 : fd_takes(opened));
    }
}

static const char *const kinds[] = {"root of ", "cwd of ", "exe of ", "a descriptor of ", "a descriptor, to write, of "};

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    /* From the working directory up to the root: more than its depth does no harm. */
    of_process("/proc/self", "/../../../../../../../../../../../..", "this process");
    of_process("/proc/thread-self", "/../../../../../../../../../../../..", "this thread");
    of_process(of_task("/proc/self", raw(SYS_getpid)), "/../../../../../../../../../../../..", "this task");
    of_descriptor();
    of_other(victim(), "the victim");
    of_process(of_task(joined("/proc/", victim_text()), victim()), "", "the victim's task");
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        not_natively(joined(kinds[i], "the supervisor"), "natively that is the harness");
    if (!natively)
        of_other(supervisor(), "the supervisor");
    ways_end("magic links");
}
