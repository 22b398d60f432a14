/* An open /proc/PID/mem stays with the memory it was opened on. A supervisor that keeps one over an exec judges the
 * path that the old image had at an address, while the kernel takes the new one's. Here the old image has a harmless
 * ELF's path there, has it judged, and execs; the new image has the secret's path and a `#!` script's at the same
 * address. Natively the secret is read. Here Landlock decides in the kernel, and the supervisor reads the memory the
 * task has now. The guest's own descriptor of its old memory is dead as well.
 * class: 81
 * contained: errno
 * ways: 3
 * build: musl */
#include <sys/mman.h>

#include "lib/files.h"

enum { OLD_MEMORY = 9 };

static char *const place = (char *)0x20000000;

static void put(const char *path)
{
    raw(SYS_mmap, place, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    path_join(place, path, "");
}

static _Noreturn void old_image(void)
{
    char *nothing[] = {NULL};
    long fd = open_path("/proc/self/mem", O_RDWR);

    raw(SYS_dup2, fd, OLD_MEMORY);
    put("/nonexistent/program");
    raw(SYS_execve, place, nothing, nothing);
    raw(SYS_close, open_path(place, O_RDONLY));
    put(own_path());
    exec_stage_from(place, "new");
    unreached("exec is refused");
}

int main(int argc, char **argv)
{
    char byte;

    attack_start(argc, argv);
    if (!same_text(stage(argc, argv), "new"))
        old_image();
    put(secret());
    way(path_tells(place), "the secret, by a path where another lay");
    way(raw(SYS_pread64, OLD_MEMORY, &byte, 1, place) == 1, "memory of the image before");
    way(reaches_victim(), "a signal to the victim");
    ways_end("stale memory");
}
