/* Stops and continues a held parent from its child, with every signal that stops. The parent must neither run early nor
 * stay for ever. Under the kernel alone it is so.
 * class: 60
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/tasks.h"

static long parent;
static volatile int parent_ran, child_ended;

static long stop_parent(void *unused)
{
    (void)unused;
    for (int i = 0; i < 10; i++) {
        raw(SYS_kill, parent, SIGSTOP);
        linger(20);
        raw(SYS_kill, parent, SIGCONT);
        raw(SYS_kill, parent, SIGTSTP);
        raw(SYS_kill, parent, SIGTTIN);
        raw(SYS_kill, parent, SIGCONT);
        linger(20);
        if (parent_ran)
            leave(1);
    }
    child_ended = 1;
    leave(0);
}

int main(int argc, char **argv)
{
    long pid;

    attack_start(argc, argv);
    attempt("a held parent stopped and continued");
    parent = raw(SYS_getpid);
    for (int round = 0; round < 5; round++) {
        parent_ran = child_ended = 0;
        pid = spawn_child(stop_parent, NULL);
        parent_ran = 1;
        if (pid < 0)
            contained("no second task: clone(0x4111): errno %ld", -pid);
        if (!child_ended)
            escaped("a stopped and continued parent ran before its child had ended");
        wait_for(pid);
        expect_supervised();
    }
    same("a parent that is stopped and continued while held stays held, and comes free");
}
