/* Paths in memory that the kernel reads for the program, and that no other process may: memory that can be written or
 * executed only, a path over the start of such memory, too. A supervisor that cannot read them records nothing, or fails
 * what it should do. The secret is opened and the canary changed so, and a 32-bit program executed, which works natively.
 * Here each is refused as if it could be read.
 * class: 33
 * contained: errno
 * ways: 4
 * build: musl */
#include <sys/mman.h>

#include "lib/files.h"
#include "lib/i386.h"

enum { PAGE = 4096 };

static const int protections[] = {PROT_WRITE, PROT_EXEC, PROT_WRITE | PROT_EXEC};

/* `text` in such memory, its first `before` bytes in the page before it. */
static const char *hidden(const char *text, int protection, int before)
{
    char *page = (char *)raw(SYS_mmap, 0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    strcpy(page + PAGE - before, text);
    raw(SYS_mprotect, page + PAGE, 2 * PAGE, protection);
    return page + PAGE - before;
}

int main(int argc, char **argv)
{
    char program[128];
    long times[4] = {1, 0, 1, 0};

    attack_start(argc, argv);
    for (unsigned i = 0; i < sizeof protections / sizeof *protections; i++)
        for (int before = 0; before < 8; before += 7) {
            way(path_tells(hidden(secret(), protections[i], before)), "the secret is opened");
            way(raw(SYS_chmod, hidden(canary(), protections[i], before), 0666) == 0, "the canary's mode is changed");
            way(raw(SYS_utimensat, AT_FDCWD, hidden(canary(), protections[i], before), times, 0) == 0,
                "the canary's times are changed");
        }
    attempt("a 32-bit program is executed");
    i386_program_or_contained(program);
    judge_exec((char *)hidden(program, PROT_WRITE, 3));
}
