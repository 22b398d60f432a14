/* A child with our memory that is no thread (CLONE_VM without CLONE_THREAD, and without CLONE_VFORK) rewrites a path
 * while we open it; where only the posix_spawn form is accepted, we must be held while the child runs, so the child
 * finds the path as it left it. Natively one of the opens reads the secret.
 * class: 23
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/race.h"

static char path[PATH_ROOM];
static volatile int stop, parent_ran;

static long rewrite(void *unused)
{
    (void)unused;
    while (!stop)
        swap_path(path);
    leave(0);
}

static long held_parent_child(void *unused)
{
    (void)unused;
    linger(300);
    leave(parent_ran ? 1 : 0);
}

static _Noreturn void try_spawn_form(long refused)
{
    long pid = spawn_child(held_parent_child, NULL), status;

    parent_ran = 1;
    if (pid < 0)
        contained("no second task: clone(0x4111): errno %ld", -pid);
    status = wait_for(pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        escaped("the parent ran beside its child in one memory (%lx)", (unsigned long)status);
    contained("clone(CLONE_VM): errno %ld; the parent of a spawn is held", -refused);
}

int main(int argc, char **argv)
{
    static _Alignas(16) char stack[ATTACK_STACK];
    long pid;

    attack_start(argc, argv);
    prepare_paths(path);
    attempt("a path rewritten by a child");
    pid = guest_clone(rewrite, NULL, CLONE_VM | SIGCHLD, stack + ATTACK_STACK, NULL, NULL, NULL);
    if (pid < 0)
        try_spawn_form(pid);
    race_opens(path);
    stop = 1;
    wait_for(pid);
    contained("no open of a path in motion read the secret");
}
