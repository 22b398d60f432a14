/* Prints its environment, a line for each variable, in the order given.
 * Expected: exit 0 everywhere.
 * build: musl glibc */
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/expect.h"

int main(void)
{
    for (char **variable = environ; *variable; variable++) {
        struct iovec parts[] = {{*variable, strlen(*variable)}, {"\n", 1}};

        expect_equal(writev(1, parts, 2), parts[0].iov_len + 1, "writev");
    }
    return 0;
}
