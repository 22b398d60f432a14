/* Ends as it is told to.
 *     exit-codes exit N      exit status N
 *     exit-codes signal N    death by signal N, sent to itself with its default action and unblocked
 *     exit-codes raise N     the same by raise(3), which in musl blocks all signals around the sending
 *     exit-codes abort       SIGABRT (musl under ostoo, which has no tkill: SIGSEGV by hlt)
 * Expected: just that, everywhere.
 * build: musl glibc */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/expect.h"

static void die_of(int number, int raised)
{
    sigset_t set;

    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    expect(!(raised ? raise(number) : kill(getpid(), number)), "kill");
    not_reached();
}

int main(int argc, char **argv)
{
    if (argc == 2 && same_text(argv[1], "abort"))
        abort();
    expect(argc == 3, "usage: exit-codes exit N|signal N|raise N|abort");
    if (same_text(argv[1], "signal") || same_text(argv[1], "raise"))
        die_of((int)to_number(argv[2]), same_text(argv[1], "raise"));
    expect(same_text(argv[1], "exit"), "usage: exit-codes exit N|signal N|raise N|abort");
    return (int)to_number(argv[2]);
}
