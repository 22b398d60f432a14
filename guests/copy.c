/* Copies standard input to standard output until its end.
 * Expected: exit 0 everywhere.
 * build: musl glibc */
#include <unistd.h>

#include "lib/expect.h"

static char buffer[64 * 1024];

static void write_all(const char *from, ssize_t size)
{
    while (size > 0) {
        ssize_t written = write(1, from, (size_t)size);

        expect(written > 0, "write");
        from += written;
        size -= written;
    }
}

int main(void)
{
    ssize_t size;

    while ((size = read(0, buffer, sizeof buffer)) > 0)
        write_all(buffer, size);
    expect_equal(size, 0, "read");
    return 0;
}
