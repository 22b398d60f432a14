/* Calls that the supervisor changes or skips are looked at by the filter once more, and then run or don't: an open for
 * reading and writing that was made one for reading must not write; a kill of the victim that was skipped must not
 * happen; the registers the program sees afterwards must be its own. Natively the canary is written.
 * class: 37
 * contained: errno
 * ways: 2
 * build: musl */
#include <fcntl.h>

#include "lib/tasks.h"

/* The arguments that come back from a call: a changed one would betray the rule, and break libraries. */
static long open_keeping(const char *path, long flags, long *flags_after)
{
    register long rsi __asm__("rsi") = flags;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result), "+r"(rsi)
                     : "a"((long)SYS_open), "D"(path), "d"(0L)
                     : "rcx", "r11", "memory");
    *flags_after = rsi;
    return result;
}

int main(int argc, char **argv)
{
    long after;

    attack_start(argc, argv);
    for (int i = 0; i < 50; i++) {
        long fd = open_keeping(canary(), O_RDWR, &after);

        if (after != O_RDWR)
            escaped("open gave back flags %lx", (unsigned long)after);
        unless_refused(raw(SYS_write, fd, "changed", 7), "write to the canary");
        raw(SYS_close, fd);
        unless_refused(raw(SYS_kill, victim(), SIGTERM), "kill of the victim");
        expect_supervised();
    }
    contained("changed calls stay changed, skipped ones do not happen");
}
