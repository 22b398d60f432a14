/* Opens and reads the secret with 32-bit calls (int 0x80): open is 5 there, which is fstat to a filter that looks at
 * numbers only, and read is 3, which is close. Natively the secret is read. Here the filter kills whatever is not of
 * the x86-64 ABI.
 * class: 2
 * contained: killed
 * ways: 1
 * build: musl */
#include "lib/i386.h"

int main(int argc, char **argv)
{
    char *bytes;
    long fd, got;

    attack_start(argc, argv);
    attempt("i386 open and read");
    bytes = low_memory(4096, PROT_READ | PROT_WRITE);
    fd = int80_or_cannot(I386_OPEN, low_text(secret()), O_RDONLY, 0);
    if (fd < 0)
        contained("i386 open: errno %ld", -fd);
    got = int80(I386_READ, (unsigned long)fd, (unsigned long)bytes, 4096);
    if (got > 0 && holds(bytes, got, SECRET_MARK))
        escaped("read the secret through int 0x80");
    contained("i386 read: answered %ld", got);
}
