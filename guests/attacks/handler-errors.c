/* Arguments that a handler in the supervisor may not expect: pointers that are NULL, odd, in the kernel's half, at the
 * end of a page or of the address space; sizes and numbers at their extremes; vectors of arguments without an end.
 * An exception there must not let the call run, and must not end the supervisor either. Natively the kernel answers
 * each. Here each is answered too, and the next decision is right.
 * class: 104
 * contained: errno
 * ways: 1
 * build: musl */
#include <sys/mman.h>

#include "lib/ways.h"

static unsigned long strange[] = {
    0, 1, 7, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000,
    0xffff800000000000, 0xfffffffffffff000, ~0UL, 0, 0,
};

enum { STRANGE = sizeof strange / sizeof *strange };

/* Calls whose pointers the supervisor reads or writes itself, under one policy or another. */
static const long calls[] = {
    SYS_execve, SYS_wait4, SYS_clock_gettime, SYS_fstat, SYS_getdents64, SYS_getrandom, SYS_pipe2,
    SYS_rt_sigqueueinfo, SYS_set_tid_address, SYS_sched_getaffinity, SYS_open, SYS_openat, SYS_prlimit64,
};

static void hostile_pages(void)
{
    long pages = raw(SYS_mmap, 0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset((char *)pages, 'A', 2 * 4096);
    raw(SYS_mprotect, pages + 2 * 4096, 4096, PROT_NONE);
    strange[STRANGE - 2] = (unsigned long)pages;             /* text without an end */
    strange[STRANGE - 1] = (unsigned long)pages + 2 * 4096 - 3; /* a word across the edge */
}

/* wait4 blocks where there are children, and a signal goes to nobody: a pid that is none. */
static long first_argument(long nr, unsigned long at)
{
    if (nr == SYS_wait4 || nr == SYS_rt_sigqueueinfo)
        return 0x7ffffffe;
    return nr == SYS_prlimit64 ? 0 : (long)at;
}

static void try_strange(long nr)
{
    for (int i = 0; i < STRANGE; i++)
        for (int j = 0; j < STRANGE; j++) {
            if (nr == SYS_set_tid_address && j)
                break;
            raw(nr, first_argument(nr, strange[i]), strange[nr == SYS_prlimit64 ? 3 : j], strange[j],
                nr == SYS_wait4 ? 0 : strange[i]);
        }
}

int main(int argc, char **argv)
{
    int tried = sizeof calls / sizeof *calls;

    attack_start(argc, argv);
    attempt("strange arguments");
    hostile_pages();
    for (int i = 0; i < tried; i++) {
        try_strange(calls[i]);
        if (reaches_victim() && !natively)
            escaped("a signal to the victim after strange arguments of call %ld", calls[i]);
    }
    if (natively)
        works("%d calls with %d strange arguments", tried, STRANGE);
    contained("%d calls with %d strange arguments", tried, STRANGE);
}
