/* The working directory changed between check and use: by chdir and fchdir before an open of a bare name, to a
 * directory above, through /proc/self/cwd, and by a thread that shares it while this one opens all the time. A sandbox
 * that joins paths by itself judges another file than the kernel opens. Natively the secret is read. Here no one joins
 * paths: Landlock judges the file.
 * class: 125
 * contained: errno
 * ways: 6
 * build: musl */
#include "lib/files.h"

enum { TURNS = 20000 };

static char directory[PATH_SIZE];
static const char *name;
static volatile int over;

static void by_chdir(void)
{
    static char up[PATH_SIZE];
    long fd = open_path(directory, O_PATH | O_DIRECTORY);

    way(raw(SYS_chdir, directory) == 0 && path_tells(name), "chdir and a bare name");
    raw(SYS_chdir, work_dir());
    way(raw(SYS_fchdir, fd) == 0 && path_tells(name), "fchdir and a bare name");
    raw(SYS_chdir, work_dir());
    raw(SYS_chdir, "..");
    path_join(up, "outside/", name);
    way(path_tells(up), "from the directory above");
    raw(SYS_chdir, "/");
    way(path_tells(secret() + 1), "from the root");
    raw(SYS_chdir, directory);
    path_join(up, "/proc/self/cwd/", name);
    way(path_tells(up), "/proc/self/cwd");
    raw(SYS_chdir, work_dir());
    raw(SYS_close, fd);
}

static long keep_changing(void *unused)
{
    (void)unused;
    while (!over) {
        raw(SYS_chdir, directory);
        raw(SYS_chdir, work_dir());
    }
    raw(SYS_exit, 0);
    return 0;
}

/* A harmless file of the same name in the working directory: what a check would see. */
static void by_race(void)
{
    static char decoy[PATH_SIZE];
    static _Alignas(16) char stack[ATTACK_STACK];
    int through = 0;

    raw(SYS_close, open_path(in_work(decoy, name), O_WRONLY | O_CREAT));
    attempt("a thread that changes the directory");
    if (thread_on(stack, keep_changing, NULL) >= 0)
        for (int i = 0; i < TURNS && !through; i++)
            through = path_tells(name);
    over = 1;
    answered(through);
    raw(SYS_unlink, decoy);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    name = path_split(secret(), directory);
    by_chdir();
    by_race();
    ways_end("another working directory");
}
