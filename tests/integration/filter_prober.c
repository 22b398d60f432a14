/* Puts filters into force and makes raw system calls under them, as data on standard input says.
 *
 * In:  u32 programs; each: u32 instructions, u32 probes, the instructions (8 bytes each), the probes.
 *      A probe is eight u64: entry (0 is syscall, 1 is int 0x80), rax, and the six arguments.
 * Out: for each program an i64 (0, or -errno of installing it), then an i64 for each probe: what rax held,
 *      or KILLED + signal. Probes of a program that was not installed are 0.
 *
 * Each program runs in a child of its own; where a call kills it, another goes on with the next probe.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLED (INT64_MIN)

struct probe {
    uint64_t entry, rax, args[6];
};

struct shared {
    volatile int64_t installed;
    volatile uint32_t next;
    volatile int64_t results[];
};

static int64_t by_syscall(const struct probe *p)
{
    register uint64_t r10 __asm__("r10") = p->args[3];
    register uint64_t r8 __asm__("r8") = p->args[4];
    register uint64_t r9 __asm__("r9") = p->args[5];
    int64_t rax = (int64_t)p->rax;
    __asm__ volatile("syscall"
                     : "+a"(rax)
                     : "D"(p->args[0]), "S"(p->args[1]), "d"(p->args[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return rax;
}

static int64_t by_int80(const struct probe *p)
{
    int64_t rax = (int64_t)p->rax;
    __asm__ volatile("int $0x80" : "+a"(rax) : : "r8", "r9", "r10", "r11", "memory");
    return rax;
}

/* After the filter is in force nothing but the probes may enter the kernel, so it ends with a trap. */
static void child(struct sock_fprog *program, const struct probe *probes, uint32_t count, struct shared *out)
{
    setpgid(0, 0);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0)) {
        out->installed = -errno;
        _exit(0);
    }
    while (out->next < count) {
        const struct probe *p = &probes[out->next];
        out->results[out->next] = p->entry ? by_int80(p) : by_syscall(p);
        out->next++;
    }
    __builtin_trap();
}

static void run(struct sock_fprog *program, const struct probe *probes, uint32_t count, struct shared *out)
{
    do {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            child(program, probes, count, out);
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            exit(3);
        if (out->next < count && WIFSIGNALED(status)) {
            out->results[out->next] = KILLED + WTERMSIG(status);
            out->next++;
        }
    } while (out->installed == 0 && out->next < count);
}

static void *must_read(size_t size, size_t count)
{
    void *memory = calloc(count + 1, size);
    if (!memory || fread(memory, size, count, stdin) != count)
        exit(2);
    return memory;
}

int main(void)
{
    uint32_t *programs = must_read(sizeof(uint32_t), 1);
    for (uint32_t n = 0; n < *programs; n++) {
        uint32_t *sizes = must_read(sizeof(uint32_t), 2);
        struct sock_fprog program = {(unsigned short)sizes[0], must_read(sizeof(struct sock_filter), sizes[0])};
        struct probe *probes = must_read(sizeof(struct probe), sizes[1]);
        size_t size = sizeof(struct shared) + sizes[1] * sizeof(int64_t);
        struct shared *out = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (out == MAP_FAILED)
            return 4;
        run(&program, probes, sizes[1], out);
        fwrite((const void *)&out->installed, sizeof(int64_t), 1, stdout);
        fwrite((const void *)out->results, sizeof(int64_t), sizes[1], stdout);
        munmap(out, size);
        free(program.filter);
        free(probes);
        free(sizes);
    }
    free(programs);
    return fflush(stdout) ? 5 : 0;
}
