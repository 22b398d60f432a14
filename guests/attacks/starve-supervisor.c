/* Stops without end: one child makes five hundred supervised calls, with a timer of fifty ticks a second, and twelve
 * younger ones do nothing but such calls. A supervisor that serves the stop it finds first (the kernel's wait
 * looks at the youngest task first) never comes to the older child, or to its own clock. Natively there is nobody to
 * starve: it shows that the flood runs. Here the child gets its answers between the others', well within the wall
 * limit.
 * class: 93
 * contained: errno
 * ways: 1
 * build: musl */
#include <sys/time.h>

#include "lib/ways.h"

enum { FLOODS = 12, CALLS = 500 };

static volatile sig_atomic_t ticks;

static void tick(int signo)
{
    (void)signo;
    ticks++;
}

static void one_call(void)
{
    if (reaches_victim() && !natively)
        escaped("a signal to the victim in the flood");
}

/* The child that may not be starved. */
static _Noreturn void measured(void)
{
    struct itimerval often = {{0, 20000}, {0, 20000}};

    signal(SIGALRM, tick);
    raw(SYS_setitimer, ITIMER_REAL, &often, NULL);
    for (int i = 0; i < CALLS; i++)
        one_call();
    leave(0);
}

int main(int argc, char **argv)
{
    const char *now = stage(argc, argv);
    long children[FLOODS], floods = 0, older;

    attack_start(argc, argv);
    if (same_text(now, "measured"))
        measured();
    while (same_text(now, "flood"))
        one_call();
    attempt("a flood of stops");
    older = spawn_stage_or_contained("measured");
    for (int i = 0; i < FLOODS; i++)
        if ((children[floods] = spawn_stage("flood")) > 0)
            floods++;
    if (!exited_with(wait_for(older), 0))
        fail("the measured child did not end well");
    for (int i = 0; i < floods; i++) {
        raw(SYS_kill, children[i], SIGKILL);
        if (!killed_by(wait_for(children[i]), SIGKILL))
            fail("a flooding child has ended by itself");
    }
    if (natively)
        works("%d calls among %ld floods", CALLS, floods);
    contained("%d calls answered among %ld floods", CALLS, floods);
}
