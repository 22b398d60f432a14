/* Another execution domain: READ_IMPLIES_EXEC makes every readable page executable, ADDR_NO_RANDOMIZE takes the next
 * program's addresses from chance, PER_LINUX32 changes what uname says. Natively all are accepted. Here only asking,
 * and plain Linux, are.
 * class: 19
 * contained: errno
 * ways: 5
 * build: musl */
#include <sys/personality.h>

#include "lib/attack.h"

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    unless_refused(raw(SYS_personality, READ_IMPLIES_EXEC), "personality(READ_IMPLIES_EXEC)");
    unless_refused(raw(SYS_personality, ADDR_NO_RANDOMIZE), "personality(ADDR_NO_RANDOMIZE)");
    unless_refused(raw(SYS_personality, PER_LINUX32), "personality(PER_LINUX32)");
    unless_refused(raw(SYS_personality, MMAP_PAGE_ZERO), "personality(MMAP_PAGE_ZERO)");
    unless_refused(raw(SYS_personality, 1UL << 32 | ADDR_NO_RANDOMIZE), "personality with a high bit");
    contained("no other execution domain");
}
