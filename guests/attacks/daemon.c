/* A daemon: the child of a child, whose parent ends at once, so that it belongs to init; and the first guest ends
 * before it. Natively it goes on. Here it is still the supervisor's, and ends with the run; the harness looks for what
 * is left.
 * class: 66
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/lasting.h"

/* Exec'd, or forked: makes the daemon and ends. */
static _Noreturn void between(char **argv)
{
    turn_deaf();
    leave(make_lasting(argv) < 0 ? 1 : 0);
}

int main(int argc, char **argv)
{
    long pid;

    attack_start(argc, argv);
    if (has_word(argv, "last"))
        last();
    if (has_word(argv, "between"))
        between(argv);
    attempt("a daemon");
    pid = spawn_self_or_contained(argv, "between");
    if (wait_for(pid))
        contained("no third task");
    pid = raw(SYS_fork);
    if (pid == 0)
        between(argv);
    if (pid > 0)
        wait_for(pid);
    if (natively)
        works("a daemon goes on without us");
    contained("the daemon is left to the supervisor");
}
