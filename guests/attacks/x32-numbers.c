/* The numbers 512 to 547, which belong to x32, without its bit. Until Linux 5.4 they reached the x32 entry points
 * from 64-bit code, 520 being execve. Natively a newer kernel says ENOSYS. Here they are in no policy, so the filter
 * answers.
 * class: 6
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/attack.h"

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    attempt("numbers that belong to x32");
    for (long nr = 512; nr <= 547; nr++) {
        long result = raw(nr, -1, -1, -1, -1, -1, -1);

        if (result != -ENOSYS && result != -EPERM)
            escaped("number %ld reached the kernel: answered %ld", nr, result);
    }
    cannot("every x32 number is refused");
}
