/* A filter put onto all threads at once (TSYNC), from a thread that is not the first. Natively both threads have it.
 * Here no policy lets seccomp run.
 * class: 39
 * contained: errno
 * ways: 2
 * build: musl */
#include "lib/filters.h"

static volatile int done;
static volatile long answer;

static long synchronise(void *unused)
{
    struct sock_filter code[] = FILTER_GETPPID(SECCOMP_RET_ERRNO | EOWNERDEAD);

    (void)unused;
    answer = install(code, 4, SECCOMP_FILTER_FLAG_TSYNC);
    done = 1;
    return 0;
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    attempt("a filter from another thread");
    thread_or_contained(synchronise, NULL);
    while (!done)
        linger(100);
    answered(raw(SYS_getppid) == -EOWNERDEAD);
    judge(answer, "seccomp(TSYNC) in a thread");
}
