/* The 32-bit ABI from 64-bit code: calls by int 0x80, memory their pointers reach, and a 32-bit program. */
#ifndef ATTACK_I386_H
#define ATTACK_I386_H

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "attack.h"

enum {
    I386_READ = 3, I386_OPEN = 5, I386_UNLINK = 10, I386_GETPID = 20, I386_ACCESS = 33, I386_SOCKETCALL = 102
};

/* One call of the i386 table; pointers must lie below 4 GiB. */
static inline long int80(long nr, unsigned long b, unsigned long c, unsigned long d)
{
    int result;

    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(nr), "b"(b), "c"(c), "d"(d)
                     : "memory", "r8", "r9", "r10", "r11");
    return result;
}

/* The same, where the kernel has such calls at all. */
static inline long int80_or_cannot(long nr, unsigned long b, unsigned long c, unsigned long d)
{
    long result = int80(nr, b, c, d);

    if (result == -ENOSYS)
        cannot("this kernel has no 32-bit system calls");
    return result;
}

/* Fresh memory below 2 GiB. */
static inline char *low_memory(unsigned long size, int protection)
{
    long address = raw(SYS_mmap, 0, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

    if (address < 0)
        contained("mmap(MAP_32BIT): errno %ld", -address);
    return (char *)address;
}

/* A text in such memory; its address as a 32-bit argument. */
static inline unsigned long low_text(const char *text)
{
    return (unsigned long)strcpy(low_memory(4096, PROT_READ | PROT_WRITE), text);
}

enum { I386_BASE = 0x08048000, I386_HEADERS = sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr), I386_CODE = 34 };

#define I386_SAYS "ESCAPED: a 32-bit program runs\n"

/* A 32-bit program that says so, and exits with 1. */
static const struct {
    Elf32_Ehdr header;
    Elf32_Phdr segment;
    unsigned char code[I386_CODE];
    char text[sizeof I386_SAYS];
} __attribute__((packed)) i386_program = {
    .header = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT, .e_entry = I386_BASE + I386_HEADERS,
        .e_phoff = sizeof(Elf32_Ehdr), .e_ehsize = sizeof(Elf32_Ehdr), .e_phentsize = sizeof(Elf32_Phdr),
        .e_phnum = 1,
    },
    .segment = {
        .p_type = PT_LOAD, .p_vaddr = I386_BASE, .p_paddr = I386_BASE, .p_filesz = sizeof i386_program,
        .p_memsz = sizeof i386_program, .p_flags = PF_R | PF_X, .p_align = 0x1000,
    },
    .code = {
        0xb8, 4, 0, 0, 0,                                       /* mov $4 (write), %eax */
        0xbb, 1, 0, 0, 0,                                       /* mov $1, %ebx */
        0xb9, I386_HEADERS + I386_CODE, 0x80, 0x04, 0x08,       /* mov $text, %ecx */
        0xba, sizeof I386_SAYS - 1, 0, 0, 0,                    /* mov $length, %edx */
        0xcd, 0x80,
        0xb8, 1, 0, 0, 0,                                       /* mov $1 (exit), %eax */
        0xbb, 1, 0, 0, 0,
        0xcd, 0x80,
    },
    .text = I386_SAYS,
};

static inline long write_program(long fd)
{
    return raw(SYS_write, fd, &i386_program, sizeof i386_program) == sizeof i386_program ? fd : -EIO;
}

/* Puts that program into memory or into the working directory, and its path into `path`. 0, or -errno. */
static inline long make_i386_program(char path[128])
{
    long fd = raw(SYS_memfd_create, "i386", 0), again;
    struct line line = {.length = 0};

    if (fd >= 0 && write_program(fd) >= 0) {
        line_text(&line, "/proc/self/fd/");
        line_number(&line, (unsigned long)fd, 10);
        line_char(&line, 0);
        /* Only a descriptor that cannot write may be executed through (ETXTBSY, execve(2)). */
        again = raw(SYS_open, line.text, O_RDONLY);
        raw(SYS_close, fd);
        if (again >= 0) {
            line.length = 0;
            line_text(&line, "/proc/self/fd/");
            line_number(&line, (unsigned long)again, 10);
            line_char(&line, 0);
            strcpy(path, line.text);
            return 0;
        }
    }
    strcpy(path, joined(work_dir(), "/i386"));
    fd = raw(SYS_open, path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    if (fd < 0)
        return fd;
    again = write_program(fd);
    raw(SYS_close, fd);
    return again < 0 ? again : 0;
}

/* The same; contained where no file can be made. */
static inline void i386_program_or_contained(char path[128])
{
    long made = make_i386_program(path);

    if (made < 0)
        contained("no place for a 32-bit program: errno %ld", -made);
}

/* Runs in a child that shares our memory. */
static inline long exec_path(void *path)
{
    char *argv[] = {path, NULL};
    long result = raw(SYS_execve, path, argv, argv + 1);

    leave(result == -ENOENT ? 101 : 102);
}

/* Executes `path`, in a child where there can be one, and tells by its end whether the 32-bit program ran. */
static inline _Noreturn void judge_exec(char *path)
{
    long pid = spawn_child(exec_path, path), status;

    if (pid < 0) {
        char *argv[] = {path, NULL};

        contained("no child, and execve: errno %ld", -raw(SYS_execve, path, argv, argv + 1));
    }
    status = wait_for(pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
        escaped("a 32-bit program ran");
    if (natively && WIFEXITED(status) && WEXITSTATUS(status) == 102)
        cannot("this kernel runs no 32-bit programs");
    contained("no 32-bit program ran: wait status %lx", (unsigned long)status);
}

#endif
