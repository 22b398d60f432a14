/* Children that act before their parent's news of them can have been heard: 300 in quick succession, each of which at
 * once makes a supervised call, or dies, or has a child of its own. None may run unsupervised, and none may hang.
 * Natively they only run. Here an unknown task that stops is taken for what it is: a guest.
 * class: 64
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/tasks.h"

enum { CHILDREN = 300 };

static long act(void *number)
{
    if ((long)number % 3 == 0)
        raw(SYS_kill, raw(SYS_getpid), SIGKILL);
    leave((int)supervision());
}

static long make(long number)
{
    long pid = raw(SYS_fork);

    if (pid == 0) {
        long inner = number % 3 == 1 ? raw(SYS_fork) : -1;

        if (inner > 0)
            wait_for(inner);
        act((void *)number);
    }
    return pid < 0 ? spawn_child(act, (void *)number) : pid;
}

int main(int argc, char **argv)
{
    long pids[10];

    attack_start(argc, argv);
    attempt("children that act at once");
    for (long i = 0; i < CHILDREN / 10; i++) {
        for (long j = 0; j < 10; j++)
            pids[j] = make(i * 10 + j);
        for (long j = 0; j < 10; j++) {
            long status = pids[j] > 0 ? wait_for(pids[j]) : 0;

            if (pids[j] < 0 && i == 0)
                contained("no second task: errno %ld", -pids[j]);
            if (!natively && WIFEXITED(status) && WEXITSTATUS(status))
                escaped("a child ran unsupervised (%d)", (int)WEXITSTATUS(status));
        }
    }
    same("%d children in quick succession, all supervised", CHILDREN);
}
