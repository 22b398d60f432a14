/* A thread that is not the leader execs: all others vanish and its id becomes the leader's, so that a supervisor which
 * keeps its books by id no longer knows the task, or takes it for a new and trusted one. Forty times over, and at last
 * two threads exec at the same moment. Each new image tries to reach the victim. Natively it does. Here the supervisor
 * follows the change of id (EVENT_EXEC, ptrace(2)), and the filter stays through every exec.
 * class: 70 71
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/ways.h"

enum { IMAGES = 40 };

static char word[] = "round-00";
static volatile int both_go;

static long exec_again(void *together)
{
    if (together) {
        __atomic_add_fetch(&both_go, 1, __ATOMIC_SEQ_CST);
        while (both_go < 2)
            ;
    }
    leave((int)-exec_stage(word));
}

static void next_image(int round)
{
    static _Alignas(16) char stacks[2][ATTACK_STACK];
    int together = round % 2;

    word[6] = (char)('0' + round / 10);
    word[7] = (char)('0' + round % 10);
    for (int i = 0; i <= together; i++)
        if (thread_on(stacks[i], exec_again, together ? word : NULL) < 0)
            contained("no second task: threads are refused");
    for (;;)
        raw(SYS_kill, victim(), SIGCONT);
}

int main(int argc, char **argv)
{
    const char *now = stage(argc, argv);
    int round = *now ? (now[6] - '0') * 10 + now[7] - '0' : 0;

    attack_start(argc, argv);
    attempt("a signal to the victim from an image");
    if (round < IMAGES) {
        if (!natively && reaches_victim())
            escaped("a signal to the victim from image %d", round);
        next_image(round + 1);
    }
    answered(reaches_victim());
    ways_end("exec by a thread that is not the leader");
}
