/* execve that fails in a spawned child, in every way it can: none may free the parent, or both would run in one memory.
 * Under the kernel alone none does.
 * class: 58
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/tasks.h"

static volatile int parent_ran;

static long fail_to_exec(void *self)
{
    static char longest[8192];
    char *words[] = {"x", NULL};

    for (unsigned i = 0; i < sizeof longest - 1; i++)
        longest[i] = 'x';
    for (int i = 0; i < 5; i++) {
        raw(SYS_execve, "/none", words, words);
        raw(SYS_execve, NULL, words, words);
        raw(SYS_execve, "/", words, words);
        raw(SYS_execve, "", words, words);
        raw(SYS_execve, longest, words, words);
        raw(SYS_execve, "/proc/self/stat", words, words);
        raw(SYS_execve, self, (void *)1, words);
        raw(SYS_execve, self, words, (void *)-8);
        linger(20);
    }
    leave(parent_ran ? 1 : 0);
}

int main(int argc, char **argv)
{
    long pid;

    attack_start(argc, argv);
    attempt("execve that fails");
    pid = spawn_child(fail_to_exec, argv[0]);
    parent_ran = 1;
    if (pid < 0)
        contained("no second task: clone(0x4111): errno %ld", -pid);
    if (wait_for(pid))
        escaped("the parent came free before its child had executed anything");
    expect_supervised();
    same("no failed execve freed the parent");
}
