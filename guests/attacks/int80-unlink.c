/* Numbers that are harmless and allowed on x86-64 mean something else in the 32-bit table: 10 is mprotect, and unlink
 * there. A filter that does not look at the architecture lets it pass. Natively the canary is gone. Here the filter
 * looks at the architecture first, and kills.
 * class: 44
 * contained: killed
 * ways: 1
 * build: musl */
#include "lib/i386.h"

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    judge(int80_or_cannot(I386_UNLINK, low_text(canary()), 0, 0), "i386 unlink of the canary");
}
