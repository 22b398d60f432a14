/* Timers that announce themselves by a new thread (SIGEV_THREAD), and that signal a thread of somebody else's
 * (SIGEV_THREAD_ID with the victim's number). Natively the thread runs. Here it is refused where threads are, or is
 * supervised; another's thread the kernel refuses.
 * class: 63
 * contained: errno
 * ways: 2
 * build: musl */
#include <time.h>

#include "lib/tasks.h"

static volatile int ran, broken;

static void on_timer(union sigval unused)
{
    (void)unused;
    broken = (int)supervision();
    ran = 1;
}

static void try_victim(void)
{
    struct {
        long value;
        int signal, notify, thread;
        char rest[64];
    } event = {.signal = SIGTERM, .notify = 4 /* SIGEV_THREAD_ID */, .thread = (int)victim()};
    int id;

    unless_refused(raw(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), "timer_create for the victim's thread");
}

int main(int argc, char **argv)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_timer};
    struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    timer_t timer;

    attack_start(argc, argv);
    try_victim();
    attempt("a thread made by a timer");
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
        contained("timer_create(SIGEV_THREAD): errno %d", errno);
    timer_settime(timer, 0, &soon, NULL);
    for (int i = 0; i < 1000 && !ran; i++)
        doze(5);
    if (ran && (natively || broken))
        escaped("a thread was made by a timer (supervision %d)", broken);
    contained("%s", ran ? "the timer's thread is supervised" : "no thread was made by a timer");
}
