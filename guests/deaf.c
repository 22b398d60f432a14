/* Blocks and ignores every signal that can be, says so in one line, and spins: only SIGKILL ends it.
 * Expected: never ends by itself, everywhere.
 * build: musl */
#include <signal.h>

#include "lib/expect.h"

int main(void)
{
    sigset_t all;

    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_IGN);
    sigfillset(&all);
    expect(!sigprocmask(SIG_SETMASK, &all, NULL), "sigprocmask");
    say("deaf");
    for (;;)
        __asm__ volatile("pause");
}
