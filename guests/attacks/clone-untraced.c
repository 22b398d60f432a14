/* CLONE_UNTRACED: the kernel does not put the child under the tracer, and EXITKILL does not reach it. Alone, and with
 * the flags of posix_spawn and of a thread. Natively the child is made. Here every policy refuses the flag.
 * class: 46
 * contained: errno
 * ways: 3
 * build: musl */
#include "lib/tasks.h"

static long quit(void *unused)
{
    (void)unused;
    leave(0);
}

static long quit_thread(void *unused) { return (long)unused; }

int main(int argc, char **argv)
{
    static _Alignas(16) char stack[ATTACK_STACK];
    long pid;

    attack_start(argc, argv);
    pid = raw(SYS_clone, CLONE_UNTRACED | SIGCHLD);
    if (pid == 0)
        leave(0);
    unless_refused(pid, "clone(CLONE_UNTRACED|SIGCHLD)");
    unless_refused(guest_clone(quit, NULL, CLONE_UNTRACED | CLONE_VM | CLONE_VFORK | SIGCHLD, stack + ATTACK_STACK, NULL,
                               NULL, NULL), "clone(CLONE_UNTRACED|0x4111)");
    unless_refused(guest_clone(quit_thread, NULL, CLONE_UNTRACED | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                               CLONE_THREAD, stack + ATTACK_STACK, NULL, NULL, NULL), "clone(CLONE_UNTRACED|CLONE_THREAD)");
    contained("no untraced task");
}
