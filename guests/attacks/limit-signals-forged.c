/* Children that die by the signals that limits speak with, sent by themselves, while nothing is over its limit: a
 * judge that goes by the signal alone reports a limit that was not reached, or, where it handles the signal, ends the
 * run. Natively each child just dies. Here too, and the run ends well.
 * class: 132
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/ways.h"

static long die_by(void *signo)
{
    raw(SYS_kill, raw(SYS_getpid), (long)signo);
    return 0;
}

int main(int argc, char **argv)
{
    static const int signals[] = {SIGXCPU, SIGXFSZ, SIGKILL, SIGALRM, SIGVTALRM, SIGPROF, SIGTERM, SIGSYS};
    int count = sizeof signals / sizeof *signals;

    attack_start(argc, argv);
    attempt("deaths by signals of limits");
    for (int i = 0; i < count; i++) {
        long pid = spawn_child(die_by, (void *)(long)signals[i]);

        if (pid < 0)
            contained("no second task");
        if (!killed_by(wait_for(pid), signals[i]))
            fail("the child did not die by signal %d", signals[i]);
    }
    if (natively)
        works("%d children dead by signals of limits", count);
    contained("%d children dead by signals of limits", count);
}
