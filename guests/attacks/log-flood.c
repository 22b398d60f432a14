/* Records without end: twenty thousand refused signals, and three thousand execs whose paths are 4 KiB of a byte that
 * is written as six. A supervisor that holds its records in memory, or writes each in full, fills the machine.
 * Natively the calls cost nothing. Here the supervisor's memory stays bounded and repeats are counted, not written;
 * the harness looks at the log and at what the run left.
 * class: 103
 * contained: errno limit
 * ways: 1
 * build: musl */
#include "lib/ways.h"

enum { SIGNALS = 20000, EXECS = 3000, LONGEST = 4095 };

int main(int argc, char **argv)
{
    static char path[LONGEST + 1];
    char *arguments[] = {path, path, NULL};

    attack_start(argc, argv);
    attempt("records without end");
    memset(path, 1, LONGEST);
    path[0] = '/';
    for (int i = 0; i < SIGNALS; i++)
        if (reaches_victim() && !natively)
            escaped("signal %d reached the victim", i);
    for (int i = 0; i < EXECS; i++)
        raw(SYS_execve, path, arguments, arguments);
    if (natively)
        works("%d calls to be recorded", SIGNALS + EXECS);
    contained("%d calls to be recorded", SIGNALS + EXECS);
}
