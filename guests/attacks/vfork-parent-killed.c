/* A held parent is killed by its own child, which goes on alone in their memory, spawns another, and ends; and a chain
 * of spawns inside spawns. Nobody may be left waiting, unsupervised or alive. Under the kernel alone it is so.
 * class: 59
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/tasks.h"

enum { DEPTH = 6 };

static _Alignas(16) char stacks[DEPTH + 2][ATTACK_STACK];
static volatile int ended;
static volatile long parent;

static long spawn_on(int level, long (*fn)(void *), void *arg)
{
    return guest_clone(fn, arg, CLONE_VM | CLONE_VFORK | SIGCHLD, stacks[level] + ATTACK_STACK, NULL, NULL, NULL);
}

static long quit(void *unused)
{
    (void)unused;
    ended++;
    leave((int)supervision());
}

static long kill_parent(void *unused)
{
    (void)unused;
    raw(SYS_kill, parent, SIGKILL);
    linger(100);
    spawn_on(2, quit, NULL);
    ended++;
    leave(0);
}

static long doomed(void *unused)
{
    (void)unused;
    parent = raw(SYS_getpid);
    spawn_on(1, kill_parent, NULL);
    linger(1000000);
    leave(0);
}

static long nest(void *level)
{
    long depth = (long)level, pid;

    if (depth == DEPTH)
        leave((int)supervision());
    pid = spawn_on((int)depth, nest, (void *)(depth + 1));
    leave(pid > 0 && wait_for(pid) == 0 ? 0 : 9);
}

int main(int argc, char **argv)
{
    long pid;

    attack_start(argc, argv);
    attempt("parents killed while they are held");
    pid = spawn_on(0, nest, (void *)1);
    if (pid < 0)
        contained("no second task: clone(0x4111): errno %ld", -pid);
    if (wait_for(pid))
        escaped("a chain of spawns broke");
    for (int round = 0; round < 5; round++) {
        long status;

        pid = spawn_on(0, doomed, NULL);
        status = wait_for(pid);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            escaped("a killed parent ended with wait status %lx", (unsigned long)status);
        expect_supervised();
    }
    same("parents killed while held are gone, and all others went on");
}
