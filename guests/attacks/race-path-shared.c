/* Another process rewrites a path through shared memory (a memfd that both map) while we open it: one runnable task
 * in each address space does not prevent that. Natively one of the opens reads the secret. Here what may be opened
 * is decided by Landlock, on the file and not on the name; or there is no second process, or no shared memory.
 * class: 22
 * contained: errno
 * ways: 1
 * build: musl */
#include <sys/mman.h>

#include "lib/race.h"

enum { MEMORY_FD = 99 };

static char *map_shared(void)
{
    long address = raw(SYS_mmap, 0, PATH_ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, MEMORY_FD, 0);

    if (address < 0)
        contained("no shared memory: errno %ld", -address);
    return (char *)address;
}

/* The other process: ends when it is alone, and in the sandbox by itself, too. */
static int rewrite(void)
{
    char *path = map_shared();
    long parent = raw(SYS_getppid);

    prepare_paths(path);
    for (int i = 0; (i < 1000000 || natively) && raw(SYS_getppid) == parent; i++)
        swap_path(path);
    return 0;
}

int main(int argc, char **argv)
{
    char *path;
    long fd, pid;

    attack_start(argc, argv);
    if (has_word(argv, "rewrite"))
        return rewrite();
    attempt("a path rewritten by another process");
    fd = raw(SYS_memfd_create, "path", 0);
    if (fd < 0)
        contained("no shared memory: memfd_create: errno %ld", -fd);
    raw(SYS_ftruncate, fd, PATH_ROOM);
    raw(SYS_dup2, fd, MEMORY_FD);
    path = map_shared();
    prepare_paths(path);
    pid = spawn_self_or_contained(argv, "rewrite");
    while (natively && same_text(path, harmless_path))
        ;
    race_opens(path);
    raw(SYS_kill, pid, SIGKILL);
    wait_for(pid);
    contained("no open of a path in motion read the secret");
}
