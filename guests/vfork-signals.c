/* Signals sent to a held vfork parent wait: none is delivered until the release, none is lost afterwards, each comes as
 * often and in the order that the kernel keeps (standard signals once however often they were sent, lowest number
 * first; real-time signals as often as they were sent). SIGCHLD is among them by the time the child has been
 * waited for.
 *     vfork-signals [exec] [ostoo]    exec: the child ends its hold by exec, not by exit; ostoo: whose kill knows
 *                                     signals up to 31 only, so that no real-time signal is sent
 * Expected: exit 0 under default and natively; with `ostoo` under ostoo (and everywhere else).
 * build: musl
 * with: lib/trampoline.S */
#include <signal.h>

#include "lib/vfork.h"

enum { MOST = 32 };

static char *self;
static int by_exec, real_time;
static long parent_pid;
static volatile int delivered[MOST], count;

static void on_signal(int signal)
{
    if (count < MOST)
        delivered[count++] = signal;
}

static void send(int signal, int times)
{
    for (int i = 0; i < times; i++)
        expect_equal(raw(SYS_kill, parent_pid, signal), 0, "kill of the held parent");
}

static long child(void *arg)
{
    (void)arg;
    if (real_time)
        send(SIGRTMIN, 2);
    send(SIGUSR2, 1);
    send(SIGUSR1, 3);
    for (int i = 0; i < 1000; i++) {
        linger(1);
        expect_equal(count, 0, "signals delivered to the held parent");
    }
    if (by_exec)
        exec_self(self, "child", NULL);
    leave(5);
}

/* Handlers run one at a time, so that the order of entries is the order of delivery. */
static void catch(int signal)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigfillset(&action.sa_mask);
    expect(!sigaction(signal, &action, NULL), "sigaction");
}

static int deliveries(int signal)
{
    int found = 0;

    for (int i = 0; i < count; i++)
        found += delivered[i] == signal;
    return found;
}

/* SIGCHLD may come before, between or after the others: it is sent when the child has let go of the memory. */
static void expect_order(void)
{
    int last = 0;

    for (int i = 0; i < count; i++) {
        if (delivered[i] == SIGCHLD)
            continue;
        expect(delivered[i] >= last, "pending signals come lowest number first");
        last = delivered[i];
    }
}

int main(int argc, char **argv)
{
    int before_wait;
    long pid;

    if (argc > 1 && same_text(argv[1], "child"))
        return 5;
    self = argv[0];
    by_exec = has_word(argv, "exec");
    real_time = !has_word(argv, "ostoo");
    parent_pid = raw(SYS_getpid);
    catch(SIGUSR1);
    catch(SIGUSR2);
    catch(SIGCHLD);
    catch(SIGRTMIN);
    pid = vfork_child(child, NULL);
    before_wait = deliveries(SIGUSR1) + deliveries(SIGUSR2) + deliveries(SIGRTMIN);
    expect_equal(before_wait, real_time ? 4 : 2, "signals delivered at the release");
    expect_exit(pid, 5);
    expect_equal(deliveries(SIGUSR1), 1, "deliveries of SIGUSR1");
    expect_equal(deliveries(SIGUSR2), 1, "deliveries of SIGUSR2");
    expect_equal(deliveries(SIGCHLD), 1, "deliveries of SIGCHLD");
    expect_equal(deliveries(SIGRTMIN), real_time ? 2 : 0, "deliveries of SIGRTMIN");
    expect_order();
    say("%d signals waited for the release", count);
    return 0;
}
