/* Executes a 32-bit program, made in memory or in the working directory, whose every call would be of another ABI.
 * Natively it runs. Here execve of a foreign image is refused, where there is execve at all.
 * class: 9
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/i386.h"

int main(int argc, char **argv)
{
    static char path[128];

    attack_start(argc, argv);
    attempt("a 32-bit program");
    i386_program_or_contained(path);
    judge_exec(path);
}
