/* Calls through the vsyscall page, which the kernel answers on a fault instead of an instruction: time at
 * 0xffffffffff600400. A supervisor that refuses such a call in the ordinary way corrupts the program; one that does
 * not see it lets a refused call pass. Natively it tells the time. Here it gets what the call itself gets.
 * class: 16
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/tasks.h"

static const unsigned long TIME = 0xffffffffff600400, GETTIMEOFDAY = 0xffffffffff600000, GETCPU = 0xffffffffff600800;

static void on_fault(int number)
{
    cannot("there is no vsyscall page here (signal %d)", number);
}

static long enter(unsigned long address, void *argument)
{
    return ((long (*)(void *, void *, void *))address)(argument, NULL, NULL);
}

int main(int argc, char **argv)
{
    long pair[2] = {0}, direct, through;

    attack_start(argc, argv);
    attempt("calls through the vsyscall page");
    signal(SIGSEGV, on_fault);
    through = enter(TIME, NULL);
    direct = raw(SYS_time, NULL);
    if (direct < 0 && through > 0)
        escaped("time is refused (%ld), and answered through the vsyscall page: %ld", direct, through);
    direct = raw(SYS_gettimeofday, pair, NULL);
    pair[0] = 0;
    if (enter(GETTIMEOFDAY, pair) == 0 && direct < 0 && pair[0])
        escaped("gettimeofday is refused (%ld), and answered through the vsyscall page", direct);
    enter(GETCPU, pair);
    expect_supervised();
    same("the vsyscall page answers as the calls do: %ld", through);
}
