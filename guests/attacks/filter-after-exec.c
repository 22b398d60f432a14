/* Looks for a child or a new program that is without the filter or the supervisor: a fork, a vfork, a spawn, a program
 * executed by any of these, one executed in our place. Natively each makes a call that every policy refuses.
 * class: 42
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/tasks.h"

static long test_child(void *unused)
{
    (void)unused;
    leave((int)supervision());
}

static void judge_status(long pid, const char *what)
{
    long status = pid < 0 ? 0 : wait_for(pid);

    if (status)
        escaped("%s is not supervised (wait status %lx)", what, (unsigned long)status);
}

int main(int argc, char **argv)
{
    char *words[] = {argv[0], "last", natively ? "native" : NULL, NULL};
    long pid;

    attack_start(argc, argv);
    attempt("a task without the filter");
    if (has_word(argv, "last") || has_word(argv, "inner")) {
        long broken = supervision();

        if (has_word(argv, "inner"))
            leave((int)broken);
        if (broken)
            escaped("after execve the program is not supervised (%ld)", broken);
        contained("every child and every new program is supervised");
    }
    pid = raw(SYS_fork);
    if (pid == 0)
        leave((int)supervision());
    judge_status(pid, "a fork");
    judge_status(spawn_child(test_child, NULL), "a spawned child");
    judge_status(spawn_self(argv, "inner"), "a spawned program");
    raw(SYS_execve, argv[0], words, environ);
    contained("every child is supervised, and execve is refused");
}
