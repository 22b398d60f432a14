/* Seeds S2: a thread library in assembly (lib/linen.S), driven in each way.
 *     linen refused   thread creation gives exactly -ENOSYS; nothing has changed, no mapping is left
 *     linen threads   id stored, join woken by the futex, canary intact, results joined, bad arguments -EINVAL
 *     linen guard     a thread overruns its stack: the guard page's SIGSEGV ends the process
 * Expected: refused exits 0 under ostoo and default (not natively); threads exits 0 natively and under workspace; guard
 * dies of SIGSEGV there.
 * build: musl
 * with: lib/linen.S */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "lib/expect.h"
#include "lib/linen.h"

enum { THREADS = 16, ALTERNATE_SIZE = 64 * 1024 };

static struct linen_thread *threads[THREADS];
static char alternate_stack[ALTERNATE_SIZE];
static char *guard_page;

/* Where the kernel would put a new stack: the same place again unless something was mapped meanwhile. */
static void *place_for_a_stack(void)
{
    void *place = (void *)raw(SYS_mmap, 0, LINEN_STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    raw(SYS_munmap, place, LINEN_STACK);
    return place;
}

static void *thread_id(void *slot)
{
    struct linen_thread *volatile *own = slot;
    long tid = raw(SYS_gettid);

    while (!*own)
        linger(1);
    if ((*own)->tid != tid || (*own)->canary != LINEN_CANARY)
        tid = -1;
    return (void *)tid;
}

static void bad_arguments(void)
{
    static struct linen_thread nothing = {1, 0};
    struct linen_thread *handle = NULL;

    expect_equal(linen_thread_create(NULL, thread_id, NULL), -EINVAL, "create without a handle");
    expect_equal(linen_thread_create(&handle, NULL, NULL), -EINVAL, "create without a function");
    expect_equal(linen_thread_join(NULL, NULL), -EINVAL, "join of NULL");
    expect_equal(linen_thread_join(&nothing, NULL), -EINVAL, "join of what has no canary");
    expect(!handle, "the handle is as it was");
}

static void *nothing_to_do(void *unused) { return unused; }

static int refused(void)
{
    struct linen_thread *handle = (void *)threads;
    void *place = place_for_a_stack();

    for (int i = 0; i < 3; i++)
        expect_equal(linen_thread_create(&handle, nothing_to_do, NULL), -ENOSYS, "what create answers");
    expect_equal(handle, threads, "the handle is as it was");
    expect_equal(place_for_a_stack(), place, "no mapping is left");
    expect_equal(raw(SYS_wait4, -1), -ECHILD, "no child exists");
    say("thread creation was refused with ENOSYS, nothing has changed");
    return 0;
}

static int run_threads(void)
{
    void *place = place_for_a_stack();

    for (int i = 0; i < THREADS; i++)
        expect_equal(linen_thread_create(&threads[i], thread_id, &threads[i]), 0, "what create answers");
    for (int i = 0; i < THREADS; i++) {
        void *tid = NULL;

        expect_equal(threads[i]->canary, LINEN_CANARY, "the canary");
        expect_equal(linen_thread_join(threads[i], &tid), 0, "what join answers");
        expect((long)tid > 0 && (long)tid != raw(SYS_getpid), "the thread found its own id in its handle");
    }
    expect_equal(place_for_a_stack(), place, "every stack was given back");
    say("%d threads made and joined", THREADS);
    return 0;
}

static void on_overrun(int signal, siginfo_t *info, void *context)
{
    char *where = info->si_addr;

    (void)signal, (void)context;
    if (where < guard_page || where >= guard_page + LINEN_GUARD)
        fail("fault at %lx, want it in the guard page at %lx", (unsigned long)where, (unsigned long)guard_page);
    say("fault in the guard page");
}

static void *overrun(void *slot)
{
    stack_t stack = {.ss_sp = alternate_stack, .ss_size = ALTERNATE_SIZE};
    struct linen_thread *volatile *own = slot;
    char *top;

    while (!*own)
        linger(1);
    top = (char *)*own + 8;
    guard_page = top - LINEN_STACK;
    raw(SYS_sigaltstack, &stack, NULL);
    for (char *below = top - 4096; below >= guard_page; below -= 4096)
        *(volatile char *)below = 1;
    not_reached();
}

/* The handler looks at the fault once; SA_RESETHAND lets the second one, at the same store, do what it does. */
static int hit_guard(void)
{
    struct sigaction action = {.sa_sigaction = on_overrun, .sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND};

    expect(!sigaction(SIGSEGV, &action, NULL), "sigaction");
    expect_equal(linen_thread_create(&threads[0], overrun, &threads[0]), 0, "what create answers");
    linen_thread_join(threads[0], NULL);
    not_reached();
}

int main(int argc, char **argv)
{
    expect(argc == 2, "usage: linen refused|threads|guard");
    bad_arguments();
    if (same_text(argv[1], "refused"))
        return refused();
    if (same_text(argv[1], "threads"))
        return run_threads();
    expect(same_text(argv[1], "guard"), "usage: linen refused|threads|guard");
    return hit_guard();
}
