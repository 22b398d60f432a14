/* execve's path ends at the last byte before unmapped memory: a supervisor that reads a fixed number of bytes gets
 * less, or an error, and must not take that for harmless. The path is that of a 32-bit program, which natively runs.
 * Then one without an end, which the kernel refuses with EFAULT, and so must the supervisor.
 * class: 28
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/i386.h"

enum { PAGE = 4096 };

int main(int argc, char **argv)
{
    char path[128], *edge;
    long memory, result;

    attack_start(argc, argv);
    attempt("a path at the end of a page");
    i386_program_or_contained(path);
    memory = raw(SYS_mmap, 0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory < 0)
        contained("mmap: errno %ld", -memory);
    raw(SYS_munmap, memory + PAGE, PAGE);
    edge = (char *)memory + PAGE;
    memset((char *)memory, '/', PAGE);
    result = raw(SYS_execve, edge - 5, NULL, NULL);
    if (result != -EFAULT && result != -ENOSYS && result != -EACCES)
        escaped("execve of a path without an end answered %ld", result);
    strcpy(edge - strlen(path) - 1, path);
    judge_exec(edge - strlen(path) - 1);
}
