/* A fork bomb: children that stay, as many as can be had, by fork, else by spawn, else as threads. Natively it would
 * harm the machine. Here a count in the supervisor ends it long before MOST, and the program goes on.
 * class: 67
 * contained: errno limit
 * ways: 1
 * build: musl */
#include "lib/lasting.h"

enum { MOST = 3000 };

static long stay(void *unused)
{
    (void)unused;
    for (;;)
        doze(1000);
}

int main(int argc, char **argv)
{
    static _Alignas(16) char stacks[MOST][4096];
    int made = 0;
    long pid = 0;

    attack_start(argc, argv);
    not_natively("3000 tasks", "a fork bomb would harm the machine");
    if (natively)
        cannot("a fork bomb would harm the machine");
    if (has_word(argv, "stay"))
        stay(NULL);
    attempt("3000 tasks");
    for (; made < MOST && pid >= 0; made++) {
        pid = raw(SYS_fork);
        if (pid == 0)
            stay(NULL);
        if (pid == -ENOSYS)
            pid = spawn_self(argv, "stay");
    }
    for (pid = 0; made < MOST && pid >= 0; made++)
        pid = guest_clone(stay, NULL, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD,
                          stacks[made] + sizeof *stacks, NULL, NULL, NULL);
    if (made >= MOST)
        escaped("%d tasks were made", made);
    expect_supervised();
    contained("%d tasks, then errno %ld", made - 2, -pid);
}
