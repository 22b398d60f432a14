/* Seeds S4's table of calls, row by row, seen from inside.
 *     stubs-ostoo ostoo [SCRIPT]   every row; SCRIPT is an executable file that starts with "#!"
 *     stubs-ostoo native           the rows in which ostoo and Linux agree
 * Expected: exit 0 with `ostoo` under ostoo, with `native` natively. The working directory must be readable.
 * build: musl
 * with: lib/trampoline.S */
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#include "lib/vfork.h"

enum { NO_FD = 63, OPEN_FILES = 64, MOST_ARGUMENTS = 256, NO_PROCESS = 0x3fffffff };

static char *self;

static int all_zero(const void *from, size_t size)
{
    const char *bytes = from;

    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return 0;
    return 1;
}

static int opened(const char *path, int flags)
{
    long fd = raw(SYS_open, path, flags, 0666);

    if (fd < 0)
        fail("open %s: %ld", path, fd);
    return (int)fd;
}

static void files(void)
{
    char long_path[PATH_MAX + 10], below[PATH_MAX], byte[4] = "";
    int fd = opened(self, O_RDONLY);
    int dir = opened(".", O_RDONLY | O_DIRECTORY);

    expect_equal(raw(SYS_read, fd, byte, 4), 4, "read");
    expect(!memcmp(byte, "\177ELF", 4), "what read reads");
    expect_equal(raw(SYS_write, fd, byte, 1), -EBADF, "write to a file from open");
    expect_equal(raw(SYS_read, dir, byte, 1), -EISDIR, "read of a directory");
    expect_equal(raw(SYS_read, NO_FD, byte, 1), -EBADF, "read of a closed descriptor");
    expect_equal(raw(SYS_close, NO_FD), -EBADF, "close of a closed descriptor");
    expect_equal(raw(SYS_open, NULL, O_RDONLY), -EFAULT, "open of NULL");
    expect_equal(raw(SYS_open, "./no-such-file", O_RDONLY), -ENOENT, "open of a missing path");
    expect(strlen(self) + sizeof "/x" < sizeof below, "a shorter path");
    strcat(strcpy(below, self), "/x");
    expect_equal(raw(SYS_open, below, O_RDONLY), -ENOTDIR, "open below a file");
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    expect(raw(SYS_open, long_path, O_RDONLY) < 0, "open of a path longer than 4096 bytes is refused");
    raw(SYS_close, fd);
    raw(SYS_close, dir);
}

static void files_ostoo(void)
{
    char byte[1];
    int fd = opened(self, O_RDWR);
    int next, highest = -1;

    expect_equal(raw(SYS_read, fd, byte, 1), 1, "read from open(O_RDWR)");
    expect_equal(raw(SYS_write, fd, byte, 1), -EBADF, "write to open(O_RDWR)");
    raw(SYS_close, fd);
    expect_equal(raw(SYS_open, "./no-such-file", O_CREAT | O_WRONLY, 0666), -ENOENT, "open(O_CREAT)");
    expect_equal(raw(SYS_open, "./no-such-file", O_RDONLY), -ENOENT, "open(O_CREAT) has made nothing");
    while ((next = (int)raw(SYS_open, self, O_RDONLY)) >= 0)
        highest = next;
    expect_equal(next, -EMFILE, "open when all descriptors are in use");
    expect_equal(highest, OPEN_FILES - 1, "the highest descriptor");
    while (highest > 2)
        raw(SYS_close, highest--);
}

static void directories(void)
{
    char entries[4096], path[PATH_MAX];
    int dir = opened(".", O_RDONLY | O_DIRECTORY);

    expect(raw(SYS_getdents64, dir, entries, sizeof entries) > 0, "getdents64 of a directory");
    raw(SYS_close, dir);
    expect(raw(SYS_getcwd, path, sizeof path) > 1 && path[0] == '/', "getcwd");
    expect_equal(raw(SYS_getcwd, path, 1), -ERANGE, "getcwd into one byte");
    expect_equal(raw(SYS_chdir, "."), 0, "chdir");
    expect_equal(raw(SYS_chdir, "./no-such-directory"), -ENOENT, "chdir to a missing path");
}

static void directories_ostoo(void)
{
    char entries[256];
    int fd = opened(self, O_RDONLY);

    expect_equal(raw(SYS_getdents64, fd, entries, sizeof entries), -ENOTTY, "getdents64 of a file");
    raw(SYS_close, fd);
}

static void descriptors(void)
{
    int ends[2];
    char byte = 0;

    expect_equal(raw(SYS_pipe2, ends, O_CLOEXEC), 0, "pipe2");
    expect_equal(raw(SYS_fcntl, ends[0], F_GETFD), FD_CLOEXEC, "F_GETFD");
    expect_equal(raw(SYS_fcntl, ends[0], F_SETFD, 0), 0, "F_SETFD");
    expect_equal(raw(SYS_fcntl, ends[0], F_GETFD), 0, "F_GETFD after F_SETFD");
    expect_equal(raw(SYS_dup2, ends[1], 30), 30, "dup2");
    expect_equal(raw(SYS_write, 30, "!", 1), 1, "write");
    expect_equal(raw(SYS_read, ends[0], &byte, 1), 1, "read");
    expect_equal(byte, '!', "what came through the pipe");
    expect_equal(raw(SYS_dup2, NO_FD, 31), -EBADF, "dup2 of a closed descriptor");
    expect_equal(raw(SYS_pipe, NULL), -EFAULT, "pipe(NULL)");
    raw(SYS_close, ends[0]);
    raw(SYS_close, ends[1]);
    raw(SYS_close, 30);
}

static void descriptors_ostoo(void)
{
    int ends[2];
    struct stat status, want;

    expect_equal(raw(SYS_pipe2, ends, 0x7fffffff), 0, "pipe2 with every flag");
    expect_equal(raw(SYS_fcntl, ends[1], F_GETFD), FD_CLOEXEC, "O_CLOEXEC among every flag");
    raw(SYS_close, ends[0]);
    raw(SYS_close, ends[1]);
    expect_equal(raw(SYS_pipe2, ends, O_NONBLOCK), 0, "pipe2(O_NONBLOCK)");
    expect_equal(raw(SYS_fcntl, ends[0], F_GETFD), 0, "no FD_CLOEXEC unasked");
    expect_equal(raw(SYS_fcntl, ends[0], F_GETFL), 0, "F_GETFL");
    expect_equal(raw(SYS_fcntl, ends[1], F_GETFL), 0, "F_GETFL of what is open for writing");
    expect_equal(raw(SYS_fcntl, ends[0], F_SETFL, 0), -EINVAL, "F_SETFL");
    expect_equal(raw(SYS_fcntl, ends[0], F_DUPFD, 10), -EINVAL, "F_DUPFD");
    expect_equal(raw(SYS_fcntl, ends[0], F_DUPFD_CLOEXEC, 10), -EINVAL, "F_DUPFD_CLOEXEC");
    expect_equal(raw(SYS_ioctl, 1, TIOCGWINSZ, &status), -ENOTTY, "ioctl");
    expect_equal(raw(SYS_ioctl, ends[0], FIONREAD, &status), -ENOTTY, "ioctl of a pipe");
    expect_equal(raw(SYS_lseek, 0, 0, SEEK_CUR), -ESPIPE, "lseek");
    memset(&want, 0, sizeof want);
    want.st_mode = S_IFCHR | 0666;
    for (int fd = 0; fd < 3; fd++) {
        memset(&status, 0x55, sizeof status);
        expect_equal(raw(SYS_fstat, fd == 2 ? ends[0] : fd, &status), 0, "fstat");
        expect(!memcmp(&status, &want, sizeof want), "what fstat says");
    }
    raw(SYS_close, ends[0]);
    raw(SYS_close, ends[1]);
}

static long map(size_t length, int flags, int fd)
{
    return raw(SYS_mmap, 0, length, PROT_READ, flags, fd, 0);
}

static void memory(void)
{
    int fd = opened(self, O_RDONLY);
    long anonymous = raw(SYS_mmap, 0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long file = map(4096, MAP_PRIVATE, fd);
    long top = raw(SYS_brk, 0);

    expect(anonymous > 0 && all_zero((void *)anonymous, 8192), "a private anonymous mapping");
    expect_equal(raw(SYS_mprotect, anonymous, 4096, PROT_READ), 0, "mprotect");
    expect_equal(raw(SYS_munmap, anonymous, 8192), 0, "munmap");
    expect(file > 0 && !memcmp((void *)file, "\177ELF", 4), "a private file mapping");
    expect_equal(raw(SYS_munmap, file, 4096), 0, "munmap");
    expect_equal(map(4096, MAP_ANONYMOUS, -1), -EINVAL, "neither MAP_SHARED nor MAP_PRIVATE");
    expect_equal(map(4096, MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS, -1), -EINVAL, "MAP_SHARED and MAP_PRIVATE");
    expect_equal(map(0, MAP_PRIVATE | MAP_ANONYMOUS, -1), -EINVAL, "a mapping of length 0");
    expect(top > 0, "brk(0)");
    expect_equal(raw(SYS_brk, top + 4096), top + 4096, "brk up");
    expect_equal(raw(SYS_brk, top), top, "brk down");
    expect_equal(raw(SYS_brk, 1), top, "an impossible brk");
    raw(SYS_close, fd);
}

static void memory_ostoo(void)
{
    int fd = opened(self, O_RDONLY);

    expect_equal(map(4096, MAP_SHARED | MAP_ANONYMOUS, -1), -EINVAL, "MAP_SHARED and MAP_ANONYMOUS");
    expect(map(4096, MAP_SHARED, fd) < 0, "a shared mapping of a file is refused");
    expect_equal(raw(SYS_madvise, 0, 4096, MADV_DONTNEED), 0, "madvise");
    expect_equal(raw(SYS_madvise, 1, 1, 12345), 0, "madvise with senseless arguments");
    raw(SYS_close, fd);
}

static void processes(void)
{
    long pid = raw(SYS_getpid);

    expect(pid > 0, "getpid");
    expect_equal(raw(SYS_set_tid_address, &pid), pid, "set_tid_address");
    expect_equal(raw(SYS_wait4, -1), -ECHILD, "wait4(-1) without children");
    expect_equal(raw(SYS_wait4, NO_PROCESS), -ECHILD, "wait4 of no child");
    expect_equal(raw(SYS_kill, pid, SIGURG), 0, "kill");
    expect_equal(raw(SYS_kill, NO_PROCESS, SIGURG), -ESRCH, "kill of no process");
    expect_equal(raw(SYS_kill, pid, 65), -EINVAL, "kill with no signal's number");
    expect_equal(raw(SYS_execve, NULL), -EFAULT, "execve of NULL");
    expect_equal(raw(SYS_execve, "./no-such-program"), -ENOENT, "execve of a missing path");
    expect_equal(raw(-1), -ENOSYS, "number -1");
}

static void processes_ostoo(void)
{
    long pid = raw(SYS_getpid);

    expect_equal(raw(SYS_kill, pid, 0), -EINVAL, "kill with signal 0");
    expect_equal(raw(SYS_kill, pid, 32), -EINVAL, "kill with signal 32");
    expect_equal(raw(SYS_kill, pid, 64), -EINVAL, "kill with signal 64");
    expect(raw(SYS_kill, 0, SIGURG) < 0, "kill of a group is refused");
    expect(raw(SYS_kill, -pid, SIGURG) < 0, "kill of a group by its number is refused");
    expect(raw(SYS_wait4, 0) < 0, "wait4 of a group is refused");
    expect(raw(SYS_wait4, -2) < 0, "wait4 of a group by its number is refused");
    expect_equal(raw(SYS_set_tid_address, 1), pid, "set_tid_address ignores its pointer");
    expect_equal(raw(SYS_set_robust_list, 1, 1), 0, "set_robust_list");
    expect_equal(raw(SYS_sigaltstack, 1, 1), 0, "sigaltstack");
    expect_equal(raw(SYS_futex, &self, FUTEX_WAIT, *(int *)&self), 0, "futex, which waits for nothing");
    expect_equal(raw(SYS_futex, 1, 99, 1), 0, "futex with senseless arguments");
    expect_equal(raw(SYS_arch_prctl, ARCH_SET_GS, 0), -EINVAL, "ARCH_SET_GS");
    expect_equal(raw(SYS_arch_prctl, ARCH_GET_FS, &pid), -EINVAL, "ARCH_GET_FS");
}

static void affinity_ostoo(void)
{
    unsigned char mask[4096];
    const size_t sizes[] = {8, 128, sizeof mask};

    expect_equal(raw(SYS_sched_getaffinity, 0, 0, mask), -EINVAL, "sched_getaffinity with size 0");
    for (int i = 0; i < 3; i++) {
        memset(mask, 0xff, sizeof mask);
        expect_equal(raw(SYS_sched_getaffinity, 0, sizes[i], mask), sizes[i], "sched_getaffinity");
        expect(mask[0] == 1 && all_zero(mask + 1, sizes[i] - 1), "CPU 0 alone in the mask");
        expect(sizes[i] == sizeof mask || mask[sizes[i]] == 0xff, "memory behind the mask is untouched");
    }
}

/* The C library would ask the vDSO, if there were one. */
static void clocks_ostoo(void)
{
    const int clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, 99};
    struct timespec now;
    struct timeval day;

    for (int i = 0; i < 4; i++) {
        memset(&now, 0x55, sizeof now);
        expect_equal(raw(SYS_clock_gettime, clocks[i], &now), 0, "clock_gettime");
        expect(all_zero(&now, sizeof now), "a zero timespec");
    }
    memset(&now, 0x55, sizeof now);
    expect_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0, "the C library's clock_gettime");
    expect(all_zero(&now, sizeof now), "a zero timespec from the C library");
    expect(!gettimeofday(&day, NULL) && all_zero(&day, sizeof day), "a zero gettimeofday");
}

static void randomness(int ostoo)
{
    char bytes[32] = "";

    expect_equal(raw(SYS_getrandom, bytes, sizeof bytes, 0), sizeof bytes, "getrandom");
    expect(!all_zero(bytes, sizeof bytes), "random bytes");
    expect_equal(raw(SYS_getrandom, bytes, sizeof bytes, 0xffff), ostoo ? (long)sizeof bytes : -EINVAL,
                 "getrandom with every flag");
}

static long exec_with_most_arguments(void *arg)
{
    static char *argv[MOST_ARGUMENTS + 3];
    char *envp[] = {NULL};

    for (int i = 0; i < MOST_ARGUMENTS + 2; i++)
        argv[i] = "count";
    if (arg) {
        expect_equal(raw(SYS_execve, self, argv, envp), -EINVAL, "execve with 258 arguments");
        argv[MOST_ARGUMENTS + 1] = NULL;
    }
    argv[MOST_ARGUMENTS] = NULL;
    raw(SYS_execve, self, argv, envp);
    return 1;
}

static void scripts_ostoo(char *script)
{
    char *argv[] = {script, NULL};

    expect_equal(raw(SYS_execve, script, argv, argv + 1), -ENOEXEC, "execve of a script");
}

static int is_listed(long nr)
{
    static const short listed[] = {0,  1,  2,  3,  5,  8,  9,  10, 11, 12,  13,  14,  15,  16,  20,  22,
                                   28, 33, 39, 56, 59, 60, 61, 62, 72, 79,  80,  131, 158, 202, 204, 217,
                                   218, 228, 231, 273, 293, 318};

    for (unsigned i = 0; i < sizeof listed / sizeof *listed; i++)
        if (listed[i] == nr)
            return 1;
    return 0;
}

/* uretprobe and uprobe are the kernel's own, for trampolines it maps itself: no seccomp filter is asked about them
 * (seen on Linux 6.18), and anyone else who calls gets SIGILL or ENXIO. */
static int is_beyond_filters(long nr)
{
    return nr == 335 || nr == 336;
}

static void unlisted_ostoo(void)
{
    for (long nr = 0; nr < 1024; nr++) {
        if (is_listed(nr) || is_beyond_filters(nr))
            continue;
        long result = raw(nr);

        if (result != -ENOSYS)
            fail("call %ld: got %ld, want -ENOSYS", nr, result);
    }
    expect_equal(raw(0x3fffffff), -ENOSYS, "call 0x3fffffff");
}

static void ostoo_rows(char *script)
{
    files_ostoo();
    directories_ostoo();
    descriptors_ostoo();
    memory_ostoo();
    processes_ostoo();
    affinity_ostoo();
    clocks_ostoo();
    unlisted_ostoo();
    if (script)
        scripts_ostoo(script);
}

int main(int argc, char **argv)
{
    int ostoo;

    if (argc > 1 && same_text(argv[1], "count"))
        return argc == MOST_ARGUMENTS ? 0 : 1;
    ostoo = runs_under_ostoo(argc, argv);
    self = argv[0];
    files();
    directories();
    descriptors();
    memory();
    processes();
    randomness(ostoo);
    expect_exit(vfork_child(exec_with_most_arguments, ostoo ? self : NULL), 0);
    if (ostoo)
        ostoo_rows(argv[2]);
    say("every row of the table holds");
    return 0;
}
