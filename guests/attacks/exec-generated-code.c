/* System calls out of memory that the program wrote itself: pages writable and executable at once, made executable
 * later, by a protection key, by System V shared memory, and a memfd mapped twice. A sandbox that trusts the program
 * text it has checked never sees these calls. Natively they run. Here every call is filtered and supervised wherever
 * its instruction lies, so no policy needs to forbid such memory.
 * class: 82
 * contained: errno
 * ways: 5
 * build: musl */
#include <sys/mman.h>

#include "lib/ways.h"

enum { SIZE = 4096, RWX = PROT_READ | PROT_WRITE | PROT_EXEC, PRIVATE = MAP_PRIVATE | MAP_ANONYMOUS };

/* mov %rdi,%rax; mov %rsi,%rdi; mov %rdx,%rsi; syscall; ret */
static const unsigned char code[] = {0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0x0f, 0x05, 0xc3};

typedef long (*generated)(long nr, long first, long second);

static void calls_from(long writable, long executable, const char *what)
{
    attempt(what);
    if (writable >= 0 && executable >= 0) {
        memcpy((void *)writable, code, sizeof code);
        answered(noted(((generated)executable)(SYS_kill, victim(), SIGCONT)) == 0);
    } else {
        answered(0);
    }
}

static void calls_made_executable(long (*protect)(long at), const char *what)
{
    long at = raw(SYS_mmap, 0, SIZE, PROT_READ | PROT_WRITE, PRIVATE, -1, 0);

    memcpy((void *)at, code, sizeof code);
    way(protect(at) >= 0 && noted(((generated)at)(SYS_kill, victim(), SIGCONT)) == 0, what);
}

static long by_mprotect(long at) { return raw(SYS_mprotect, at, SIZE, PROT_READ | PROT_EXEC); }
static long by_key(long at) { return raw(SYS_pkey_mprotect, at, SIZE, PROT_READ | PROT_EXEC, -1); }

static void from_one_mapping(void)
{
    long both = raw(SYS_mmap, 0, SIZE, RWX, PRIVATE, -1, 0);

    calls_from(both, both, "code in writable memory");
    calls_made_executable(by_mprotect, "code made executable by mprotect");
    calls_made_executable(by_key, "code made executable by pkey_mprotect");
}

static void from_shared_memory(void)
{
    long id = raw(SYS_shmget, 0, SIZE, 0700), fd = raw(SYS_memfd_create, "code", 0);

    calls_from(raw(SYS_shmat, id, 0, 0), raw(SYS_shmat, id, 0, 0100000 /* SHM_EXEC */), "code in shmat memory");
    raw(SYS_shmctl, id, 0 /* IPC_RMID */, 0);
    raw(SYS_ftruncate, fd, SIZE);
    calls_from(raw(SYS_mmap, 0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
               raw(SYS_mmap, 0, SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0), "code in a memfd");
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    from_one_mapping();
    from_shared_memory();
    ways_end("generated code");
}
