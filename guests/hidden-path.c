/* Paths in memory that the kernel reads for the program, and no other process can: it may be written or executed only.
 * Arguments: write, exec or split; a file, whose directory holds nothing of value. Natively it is removed.
 * Expected: exit 0 where every call is refused with EACCES.
 * build: musl */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "lib/expect.h"
#include "lib/raw.h"

enum { PAGE = 4096 };

static int protection, split;

/* `text` in such memory; where it is split, its first bytes lie before it. */
static const char *hidden(const char *text)
{
    char *page = (char *)raw(SYS_mmap, 0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *at = page + PAGE - (split ? 3 : 0);

    for (long i = 0; text[i]; i++)
        at[i] = text[i];
    raw(SYS_mprotect, page + PAGE, PAGE, protection);
    return at;
}

int main(int argc, char **argv)
{
    expect(argc == 3, "a kind of memory and a file");
    split = same_text(argv[1], "split");
    protection = same_text(argv[1], "exec") ? PROT_EXEC : PROT_WRITE;
    expect_equal(raw(SYS_open, hidden(argv[2]), O_RDONLY), -EACCES, "open");
    expect_equal(raw(SYS_unlink, hidden(argv[2])), -EACCES, "unlink");
    expect_equal(raw(SYS_rename, hidden(argv[2]), hidden(argv[2])), -EACCES, "rename");
    return 0;
}
