/* The terminal left so that its user's shell cannot go on: its settings (signals from keys, echo) turned round, its
 * foreground taken, reads from it made to answer EAGAIN. The harness gives it a terminal of its own for standard input,
 * and looks when the run is over. Natively all is left so. Here a policy may let an interactive program do it, and each
 * call may be answered as natively: what counts is that everything is given back.
 * class: 109
 * contained: errno
 * ways: 3
 * needs: terminal
 * build: musl */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "lib/attack.h"

/* What is open in the sandbox shows only when the run is over. */
#define take(done, name) (attempt(name), answered((done) && natively))

static int turn_settings(void)
{
    struct termios settings;

    if (raw(SYS_ioctl, 0, TCGETS, &settings) < 0)
        return 0;
    settings.c_lflag ^= ISIG | ECHO;
    return raw(SYS_ioctl, 0, TCSETS, &settings) == 0;
}

static int take_foreground(void)
{
    unsigned long mask = 1UL << (SIGTTOU - 1);
    int group = (int)raw(SYS_getpid);

    raw(SYS_rt_sigprocmask, SIG_BLOCK, &mask, NULL, sizeof mask);
    raw(SYS_setpgid, 0, 0);
    return raw(SYS_ioctl, 0, TIOCSPGRP, &group) == 0;
}

static int stop_waiting(void)
{
    long flags = raw(SYS_fcntl, 0, F_GETFL);

    return flags >= 0 && raw(SYS_fcntl, 0, F_SETFL, flags | O_NONBLOCK) == 0;
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    if (natively && !getenv("ATTACK_TERMINAL"))
        cannot("it would take the terminal of whoever started it");
    take(turn_settings(), "settings");
    take(stop_waiting(), "reads that do not wait");
    take(take_foreground(), "foreground");
    if (natively)
        ways_end("a terminal taken");
    contained("whatever was taken is to be given back");
}
