/* Each process below a limit, all together far above: eight children that touch 96 MiB each and stay, by mmap and,
 * after an exec of their own, by brk, which an account that begins anew with each image forgets. Natively all have
 * their memory. Here the limit is that of the tree.
 * class: 128
 * contained: errno limit
 * ways: 1
 * options: --memory 256MiB --timeout 8
 * build: musl */
#include <sys/mman.h>

#include "lib/ways.h"

enum { CHILDREN = 8, SIZE = 96 << 20, PAGE = 4096 };

static int touch(long at)
{
    if (at <= 0)
        return 0;
    for (long i = 0; i < SIZE; i += PAGE)
        ((volatile char *)at)[i] = 1;
    return 1;
}

static int has_mapped(void)
{
    return touch(raw(SYS_mmap, 0, (long)SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static int has_grown(void)
{
    long start = raw(SYS_brk, 0);

    return raw(SYS_brk, start + SIZE) == start + SIZE && touch(start);
}

/* Says so on descriptor 9 and stays until descriptor 8 ends. */
static _Noreturn void stay(int has)
{
    char byte = has ? 'y' : 'n';

    raw(SYS_write, 9, &byte, 1);
    raw(SYS_close, 9);
    raw(SYS_read, 8, &byte, 1);
    leave(0);
}

static long children[CHILDREN];

/* How many have their memory at the same time; -1 where there are no children or pipes. */
static int together(void)
{
    int done[2], say[2], have = 0;
    char byte;

    if (raw(SYS_pipe, done) < 0 || raw(SYS_pipe, say) < 0)
        return -1;
    raw(SYS_dup2, done[0], 8);
    raw(SYS_dup2, say[1], 9);
    raw(SYS_close, done[0]);
    raw(SYS_close, say[1]);
    for (int i = 0; i < CHILDREN; i++)
        children[i] = spawn_stage(i % 2 ? "mapped" : "again");
    raw(SYS_close, 9);
    if (children[0] < 0)
        return -1;
    for (int i = 0; i < CHILDREN && raw(SYS_read, say[0], &byte, 1) == 1; i++)
        have += byte == 'y';
    return have;
}

int main(int argc, char **argv)
{
    const char *now = stage(argc, argv);
    int have;

    attack_start(argc, argv);
    if (same_text(now, "again")) {
        has_grown();
        exec_stage("grown");
    }
    if (*now)
        stay(same_text(now, "grown") ? has_grown() : has_mapped());
    attempt("768 MiB in eight processes");
    have = together();
    for (int i = 0; i < CHILDREN; i++)
        if (children[i] > 0) {
            raw(SYS_kill, children[i], SIGKILL);
            wait_for(children[i]);
        }
    if (have < 0)
        contained("no second task");
    answered(have == CHILDREN);
    ways_end("memory of a tree");
}
