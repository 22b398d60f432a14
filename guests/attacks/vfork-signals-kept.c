/* Signals to a held parent: none may be lost and none delivered twice, or a program's locks and children go wrong in
 * ways that can be provoked. The child sends ten of them; the parent counts afterwards. Under the kernel alone each
 * standard signal is delivered once, however often it was sent; and so it must be here.
 * class: 56
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/tasks.h"

static long parent;
static volatile int seen[32], child_ended, early;

static void count(int number)
{
    seen[number]++;
    if (!child_ended)
        early = 1;
}

static const int sent[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGWINCH, SIGURG, SIGIO, SIGPROF, SIGALRM, SIGINT};

static long send_all(void *unused)
{
    (void)unused;
    for (int round = 0; round < 3; round++)
        for (unsigned i = 0; i < sizeof sent / sizeof *sent; i++)
            raw(SYS_kill, parent, sent[i]);
    child_ended = 1;
    leave(0);
}

int main(int argc, char **argv)
{
    long pid;

    attack_start(argc, argv);
    attempt("signals to a held parent");
    parent = raw(SYS_getpid);
    for (unsigned i = 0; i < sizeof sent / sizeof *sent; i++)
        signal(sent[i], count);
    pid = spawn_child(send_all, NULL);
    if (pid < 0)
        contained("no second task: clone(0x4111): errno %ld", -pid);
    wait_for(pid);
    if (early)
        escaped("a handler ran in the parent while it was held");
    for (unsigned i = 0; i < sizeof sent / sizeof *sent; i++)
        if (seen[sent[i]] != 1)
            escaped("signal %d was delivered %d times", sent[i], seen[sent[i]]);
    expect_supervised();
    same("each signal to the held parent was delivered once, afterwards");
}
