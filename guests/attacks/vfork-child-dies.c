/* A child that dies before it executes anything: by SIGKILL of its own, by a fault, by a call the policy kills for. A
 * parent held for it must come free each time, and stay supervised. Under the kernel alone it does, but for the last:
 * natively the 32-bit call is answered.
 * class: 57
 * contained: errno killed
 * ways: 1
 * build: musl */
#include "lib/i386.h"
#include "lib/tasks.h"

static long kill_self(void *unused)
{
    (void)unused;
    raw(SYS_kill, raw(SYS_getpid), SIGKILL);
    leave(1);
}

static long fault(void *unused)
{
    (void)unused;
    *(volatile int *)8 = 0;
    leave(1);
}

static long violate(void *unused)
{
    (void)unused;
    int80(I386_GETPID, 0, 0, 0);
    leave(1);
}

static long violate_and_kill(void *unused)
{
    (void)unused;
    raw(SYS_kill, raw(SYS_getpid), SIGTERM);
    int80(I386_GETPID, 0, 0, 0);
    leave(1);
}

int main(int argc, char **argv)
{
    static long (*const ways[])(void *) = {kill_self, fault, violate, violate_and_kill};

    attack_start(argc, argv);
    attempt("children that die");
    for (int round = 0; round < 5; round++)
        for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
            long pid = spawn_child(ways[i], NULL), status;

            if (pid < 0)
                contained("no second task: clone(0x4111): errno %ld", -pid);
            status = wait_for(pid);
            if (!WIFSIGNALED(status) && !(natively && ways[i] == violate))
                escaped("a child that had to die ended with wait status %lx", (unsigned long)status);
            expect_supervised();
        }
    same("the parent of each dead child came free");
}
