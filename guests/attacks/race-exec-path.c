/* Another process rewrites the path that execve is given, through shared memory: a 64-bit program when the supervisor
 * looks, a 32-bit one when the kernel does. Natively the 32-bit program runs. Here what is run is looked at again
 * before its first instruction, and killed if foreign; and the log names what ran, not what was asked.
 * class: 24
 * contained: errno killed
 * ways: 1
 * build: musl */
#include "lib/i386.h"
#include "lib/tasks.h"

enum { MEMORY_FD = 99, ROOM = 4096, TRIES = 150 };

struct shared {
    char path[ROOM];    /* what execve is given */
    char native[ROOM];
    char foreign[128];
};

static struct shared *map_shared(void)
{
    long address = raw(SYS_mmap, 0, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, MEMORY_FD, 0);

    if (address < 0)
        contained("no shared memory: errno %ld", -address);
    return (struct shared *)address;
}

static void put(volatile char *to, const char *from)
{
    do
        *to++ = *from;
    while (*from++);
    for (volatile int i = 0; i < 300; i++)
        ;
}

static int rewrite(void)
{
    struct shared *memory = map_shared();
    long parent = raw(SYS_getppid);

    for (int i = 0; (i < 1000000 || natively) && raw(SYS_getppid) == parent; i++) {
        put(memory->path, memory->foreign);
        put(memory->path, memory->native);
    }
    return 0;
}

static long exec_shared(void *memory)
{
    char *words[] = {"child", "child", NULL};

    raw(SYS_execve, ((struct shared *)memory)->path, words, environ);
    leave(127);
}

int main(int argc, char **argv)
{
    struct shared *memory;
    long fd, helper;

    attack_start(argc, argv);
    if (has_word(argv, "rewrite"))
        return rewrite();
    if (has_word(argv, "child"))
        return 0;
    attempt("a path rewritten under execve");
    fd = raw(SYS_memfd_create, "path", 0);
    if (fd < 0)
        contained("no shared memory: memfd_create: errno %ld", -fd);
    raw(SYS_ftruncate, fd, sizeof(struct shared));
    raw(SYS_dup2, fd, MEMORY_FD);
    memory = map_shared();
    i386_program_or_contained(memory->foreign);
    strcpy(memory->native, argv[0]);
    strcpy(memory->path, argv[0]);
    helper = spawn_self_or_contained(argv, "rewrite");
    for (int i = 0; i < TRIES; i++) {
        long pid = spawn_child(exec_shared, memory), status;

        status = pid > 0 ? wait_for(pid) : 0;
        if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1)
            escaped("a 32-bit program ran at try %d", i);
    }
    raw(SYS_kill, helper, SIGKILL);
    wait_for(helper);
    if (natively)
        cannot("the race was not won in %d tries", TRIES);
    contained("no 32-bit program ran in %d tries", TRIES);
}
