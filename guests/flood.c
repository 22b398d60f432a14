/* Writes lines of 64 bytes to standard output, in pieces of 64 KiB, for ever.
 *     flood [PIECES]
 * With PIECES it ends after so many.
 * Expected: exit 0 with PIECES; without, it never ends by itself.
 * build: musl */
#include "lib/expect.h"

enum { PIECE = 64 * 1024, LINE = 64 };

static char piece[PIECE];

static void write_whole(void)
{
    for (long done = 0, count; done < PIECE; done += count) {
        count = raw(SYS_write, 1, piece + done, PIECE - done);
        expect(count > 0, "write");
    }
}

int main(int argc, char **argv)
{
    long pieces = argc > 1 ? (long)to_number(argv[1]) : -1;

    for (int i = 0; i < PIECE; i++)
        piece[i] = i % LINE == LINE - 1 ? '\n' : 'x';
    for (; pieces; pieces -= pieces > 0)
        write_whole();
    return 0;
}
