/* A system call from writable, executable memory that the program has just written, and rewrites between calls: nothing
 * may depend on where the instruction lies, or on what is there when the call is looked at. Natively unshare answers.
 * Here it is refused from anywhere.
 * class: 31
 * contained: errno
 * ways: 1
 * build: musl */
#include <sys/mman.h>

#include "lib/tasks.h"

/* mov $nr, %eax; mov %edi, %edi; syscall; ret */
static const unsigned char call[] = {0xb8, 0, 0, 0, 0, 0x90, 0x90, 0x0f, 0x05, 0xc3};

int main(int argc, char **argv)
{
    static const int numbers[] = {SYS_getpid, SYS_unshare, SYS_getppid, SYS_unshare};
    unsigned char *code;
    long memory;

    attack_start(argc, argv);
    attempt("unshare from written memory");
    memory = raw(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory < 0)
        contained("no memory that is writable and executable: errno %ld", -memory);
    code = (unsigned char *)memory;
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        long result;

        memcpy(code, call, sizeof call);
        memcpy(code + 1, numbers + i, sizeof *numbers);
        result = ((long (*)(long))code)(0);
        if (numbers[i] == SYS_unshare && result >= 0)
            escaped("unshare from written memory answered %ld", result);
    }
    expect_supervised();
    contained("unshare is refused from anywhere");
}
