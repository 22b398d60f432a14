/* execve's path where the kernel can read it for the program, and no other process can: secret memory
 * (memfd_secret(2)). A supervisor that cannot read what it must judge has to refuse. The path is that of a 32-bit
 * program, which natively runs. Here memfd_secret is refused, and so is a path that cannot be read.
 * class: 33
 * contained: errno
 * ways: 2
 * build: musl */
#include "lib/i386.h"

enum { NR_MEMFD_SECRET = 447, PAGE = 4096 };

static long secret_page(void)
{
    long fd = raw(NR_MEMFD_SECRET, 0);

    if (fd < 0)
        return fd;
    raw(SYS_ftruncate, fd, PAGE);
    return raw(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

int main(int argc, char **argv)
{
    char path[128];
    long page, guarded;

    attack_start(argc, argv);
    guarded = raw(SYS_mmap, 0, PAGE, 0, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unless_refused(raw(SYS_execve, guarded, NULL, NULL), "execve of a path in memory without access");
    attempt("a path in secret memory");
    i386_program_or_contained(path);
    page = secret_page();
    if (page < 0)
        cannot("memfd_secret: errno %ld", -page);
    judge_exec(strcpy((char *)page, path));
}
