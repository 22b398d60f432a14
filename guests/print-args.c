/* Prints its arguments after the program's own name, a line for each.
 * Expected: exit 0 everywhere.
 * build: musl glibc */
#include <string.h>
#include <sys/uio.h>

#include "lib/expect.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct iovec parts[] = {{argv[i], strlen(argv[i])}, {"\n", 1}};

        expect_equal(writev(1, parts, 2), parts[0].iov_len + 1, "writev");
    }
    return 0;
}
