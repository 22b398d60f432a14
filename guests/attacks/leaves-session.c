/* Leaves a child behind in a session and process group of its own, where no signal to the run's group reaches it, deaf
 * to every signal but SIGKILL. Natively it goes on after we have ended. Here the whole run ends with the first guest,
 * by what was traced, not by groups; the harness looks for what is left.
 * class: 65
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/lasting.h"

int main(int argc, char **argv)
{
    long pid;

    attack_start(argc, argv);
    if (has_word(argv, "last"))
        last();
    attempt("a child in a session of its own");
    pid = make_lasting(argv);
    if (pid < 0)
        contained("no second task: errno %ld", -pid);
    doze(100);
    if (!natively)
        contained("child %ld is left to the supervisor", pid);
    if (raw(SYS_getsid, pid) != raw(SYS_getsid, 0))
        works("child %ld is in a session of its own, and goes on", pid);
    contained("child %ld has no session of its own", pid);
}
