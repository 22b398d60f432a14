/* A thread rewrites a path while another opens it: harmless when a supervisor reads it, the secret when the kernel
 * does. Natively one of the opens reads the secret. Here threads are refused, or what may be opened is decided by
 * Landlock, on the file and not on the name.
 * class: 21
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/race.h"

static volatile int stop;

static long rewrite(void *path)
{
    while (!stop)
        swap_path(path);
    return 0;
}

int main(int argc, char **argv)
{
    static char path[PATH_ROOM];

    attack_start(argc, argv);
    attempt("a path rewritten by a thread");
    prepare_paths(path);
    thread_or_contained(rewrite, path);
    race_opens(path);
    stop = 1;
    contained("no open of a path in motion read the secret");
}
