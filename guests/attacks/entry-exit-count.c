/* Calls that have an entry and no exit, or an exit and no entry, to a tracer that only counts: sigreturn, a failed and
 * a refused exec, a number that is none, -1, a failed clone, a call that a signal interrupts, a handler that leaves by
 * a jump. After any one of them such a tracer judges exits and lets entries pass. After each the victim is tried
 * twice; natively it is reached. Here the kernel says which stop it is.
 * class: 98
 * contained: errno
 * ways: 2
 * build: musl */
#include <setjmp.h>

#include "lib/ways.h"

static jmp_buf out;

static void return_normally(int signo) { (void)signo; }
static void jump_out(int signo)
{
    (void)signo;
    longjmp(out, 1);
}

static void with_handler(void (*handler)(int))
{
    signal(SIGUSR1, handler);
    if (!setjmp(out))
        raw(SYS_kill, raw(SYS_getpid), SIGUSR1);
}

static void peculiar(int which)
{
    char *nothing[] = {NULL};

    switch (which) {
    case 0: with_handler(return_normally); break;
    case 1: with_handler(jump_out); break;
    case 2: raw(SYS_execve, "/nonexistent/program", nothing, nothing); break;
    case 3: raw(SYS_execve, NULL, NULL, NULL); break;
    case 4: raw(-1); break;
    case 5: raw(0x3fffffff); break;
    case 6: raw(SYS_clone, CLONE_NEWNS | CLONE_FS, 0); break;
    case 7: raw(SYS_clone, CLONE_SIGHAND, 0); break;
    case 8: raw(SYS_restart_syscall); break;
    case 9: raw(SYS_kill, 0x7ffffffe, SIGCONT); break;
    case 10: raw(SYS_wait4, -1, NULL, WNOHANG); break;
    default: raw(SYS_rt_sigprocmask, 99, nothing, NULL, 8);
    }
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    for (int which = 0; which <= 11; which++)
        for (int times = 1; times <= 2; times++) {
            for (int i = 0; i < times; i++)
                peculiar(which);
            way(reaches_victim(), "a signal to the victim after a call without an exit");
            raw(SYS_getpid);
            way(reaches_victim(), "a signal to the victim, one call later");
        }
    ways_end("entries and exits out of step");
}
