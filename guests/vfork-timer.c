/* Every vfork succeeds although an interval timer of 100 us interrupts it: the kernel restarts an interrupted clone,
 * and nobody may see that. Odd children exec, even ones exit.
 *     vfork-timer [CHILDREN]
 * Expected: exit 0 under default and natively. (ostoo has no setitimer.)
 * build: musl
 * with: lib/trampoline.S */
#include <signal.h>
#include <sys/time.h>

#include "lib/vfork.h"

enum { PERIOD_US = 100 };

static char *self;
static volatile long ticks, ran;

static void on_tick(int signal)
{
    (void)signal;
    ticks++;
}

static long child(void *arg)
{
    ran++;
    if ((long)arg % 2)
        exec_self(self, "child", NULL);
    return 11;
}

static void tick_every(long us)
{
    struct itimerval timer = {.it_interval = {0, us}, .it_value = {0, us}};

    expect(!setitimer(ITIMER_REAL, &timer, NULL), "setitimer");
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    long children = 1000;

    if (argc > 1 && same_text(argv[1], "child"))
        return 11;
    if (argc > 1)
        children = (long)to_number(argv[1]);
    self = argv[0];
    expect(!sigaction(SIGALRM, &action, NULL), "sigaction");
    tick_every(PERIOD_US);
    for (long i = 0; i < children; i++) {
        expect_exit(vfork_child(child, (void *)i), 11);
        expect_equal(ran, i + 1, "children that have run");
    }
    while (!ticks)
        linger(1);
    tick_every(0);
    say("%ld children, every one made, with the timer running", children);
    return 0;
}
