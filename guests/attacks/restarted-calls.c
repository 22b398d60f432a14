/* Calls that are interrupted and started again after they were answered: a timer every 200 microseconds, with
 * SA_RESTART, while refused calls, a blocking one and children follow each other; also restart_syscall by itself. A
 * supervisor whose answer is taken back by a restart lets the call itself run the second time. Natively the victim is
 * reached. Here a refused call is skipped before any signal is looked at, and a changed one is put right at its exit.
 * class: 99
 * contained: errno
 * ways: 2
 * build: musl */
#include <sys/time.h>

#include "lib/ways.h"

enum { CALLS = 4000, CHILDREN = 30 };

static volatile sig_atomic_t ticks;

static void tick(int signo)
{
    (void)signo;
    ticks++;
}

static void start_timer(void)
{
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 200}, {0, 200}};

    sigaction(SIGALRM, &action, NULL);
    raw(SYS_setitimer, ITIMER_REAL, &often, NULL);
}

/* Signals of our own where no timer is allowed. */
static void one_tick(void)
{
    raw(SYS_kill, raw(SYS_getpid), SIGALRM);
}

int main(int argc, char **argv)
{
    struct timespec moment = {0, 300000};

    attack_start(argc, argv);
    if (*stage(argc, argv))
        leave(reaches_victim() ? GOT_THROUGH : 0);
    start_timer();
    for (int i = 0; i < CALLS; i++) {
        if (reaches_victim() && !natively)
            escaped("call %d reached the victim", i);
        if (i % 50 == 0) {
            raw(SYS_nanosleep, &moment, NULL);
            raw(SYS_restart_syscall);
            one_tick();
        }
    }
    way(reaches_victim(), "a signal to the victim under a timer");
    for (int i = 0; i < CHILDREN; i++) {
        long pid = spawn_stage("probe");

        way(pid > 0 && exited_with(wait_for(pid), GOT_THROUGH), "a child made under a timer");
    }
    expect(ticks > 0, "signals came");
    ways_end("interrupted calls");
}
