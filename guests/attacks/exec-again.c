/* The launcher's own execve needs an exemption from the policy. A second exec, or one that passes the very address
 * at which the launcher's path lay (a filter can compare no more than the pointer), could use it again: the guest maps
 * what it likes there. Three images in a row exec with their path at the kernel's copy of the first path (AT_EXECFN)
 * and at other addresses that a launcher may have used; each tries to reach the victim. Natively each does. Here the
 * exemption is a state of the task that ends with the first exec, and says nothing of other calls.
 * class: 74 75
 * contained: errno
 * ways: 2
 * build: musl */
#include <sys/mman.h>

#include "lib/files.h"

static const unsigned long guesses[] = {0x400000, 0x601000, 0x10000, 0x7ffff000, 0x555555554000};

static void exec_from_guesses(const char *word)
{
    for (unsigned i = 0; i < sizeof guesses / sizeof *guesses; i++) {
        long at = raw(SYS_mmap, guesses[i], 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

        if (at != (long)guesses[i])
            continue;
        memcpy((char *)at, own_path(), strlen(own_path()) + 1);
        exec_stage_from((char *)at, word);
        way(reaches_victim(), "a signal after a refused exec");
    }
}

int main(int argc, char **argv)
{
    const char *now = stage(argc, argv);

    attack_start(argc, argv);
    way(reaches_victim(), "a signal from an image");
    if (same_text(now, "third")) {
        not_reached_way("a signal after a refused exec", "no exec is refused");
        ways_end("the third image");
    }
    if (same_text(now, "second")) {
        exec_from_guesses("third");
    } else {
        exec_stage("second");
        way(reaches_victim(), "a signal after a refused exec");
    }
    ways_end("exec refused");
}
