/* Files that only look like ELF, against whatever in the sandbox reads headers: each field of the headers in turn at
 * its extremes, cut off at every length, and with tables that point outside the file. Many run natively all the same
 * (the kernel reads little of it). Here each is refused or runs as any program; the supervisor neither fails nor
 * waits, and its next decision is right.
 * class: 78
 * contained: errno
 * ways: 1
 * build: musl */
#include <elf.h>

#include "lib/files.h"

enum { IMAGE = 512, CODE = 256, RAN = 43 };

static unsigned char image[IMAGE];
static char path[PATH_SIZE];
static char *argv_of_image[] = {path, NULL};

/* A static program that exits with RAN. */
static void well_formed(void)
{
    static const unsigned char code[] = {0xbf, RAN, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05};
    Elf64_Ehdr *head = (Elf64_Ehdr *)image;
    Elf64_Phdr *segment = (Elf64_Phdr *)(image + sizeof *head);

    memset(image, 0, sizeof image);
    *head = (Elf64_Ehdr){
        .e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = 1, .e_entry = 0x400000 + CODE,
        .e_phoff = sizeof *head, .e_ehsize = sizeof *head, .e_phentsize = sizeof *segment, .e_phnum = 1,
        .e_shentsize = sizeof(Elf64_Shdr),
    };
    memcpy(head->e_ident, "\177ELF\2\1\1", 7);
    *segment = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000, .p_filesz = IMAGE, .p_memsz = IMAGE,
        .p_align = 4096,
    };
    memcpy(image + CODE, code, sizeof code);
}

static long run_image(void *unused)
{
    (void)unused;
    raw(SYS_execve, path, argv_of_image, environ);
    leave(0);
}

/* A fresh file for each: one that is being executed cannot be written (ETXTBSY). */
static long make(long size)
{
    long fd;

    in_work(path, "malformed");
    raw(SYS_unlink, path);
    fd = open_path(path, O_WRONLY | O_CREAT | O_EXCL);
    if (fd < 0 && (fd = raw(SYS_memfd_create, "malformed", 0)) >= 0)
        path_join(path, "/proc/self/fd/", decimal(fd));
    raw(SYS_write, fd, image, size);
    raw(SYS_fchmod, fd, 0755);
    if (fd >= 0 && path[1] != 'p') {
        raw(SYS_close, fd);
        return 0;
    }
    return fd;
}

/* True where it ran. */
static int try_image(long size)
{
    long fd = make(size), pid = fd < 0 ? fd : spawn_child(run_image, NULL);
    int ran = pid > 0 && exited_with(wait_for(pid), RAN);

    if (fd > 0)
        raw(SYS_close, fd);
    if (pid < 0)
        contained("no file or no second task: errno %ld", -pid);
    if (reaches_victim() && !natively)
        escaped("a signal to the victim after a malformed image");
    return ran;
}

static int mutate_headers(void)
{
    static const unsigned char extremes[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    int ran = 0, end = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);

    for (int at = 4; at < end; at += 2)
        for (unsigned i = at / 2 % 2; i < sizeof extremes; i += 2) {
            well_formed();
            image[at] = image[at + 1] = extremes[i];
            ran += try_image(IMAGE);
        }
    return ran;
}

static int cut_short(void)
{
    int ran = 0;

    well_formed();
    for (long size = 0; size < IMAGE; size += 37)
        ran += try_image(size);
    return ran;
}

/* Tables that are huge, overlap the header or wrap around the address space. */
static int wild_tables(void)
{
    static const unsigned long offsets[] = {0, 16, IMAGE - 1, 1UL << 31, 1UL << 40, 1UL << 63, ~0UL - 8};
    Elf64_Ehdr *head = (Elf64_Ehdr *)image;
    int ran = 0;

    for (unsigned i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        well_formed();
        head->e_shoff = offsets[i];
        head->e_shnum = 0xffff;
        head->e_shstrndx = 0xfffe;
        ran += try_image(IMAGE);
        head->e_phoff = offsets[i];
        head->e_phnum = 0xffff;
        ran += try_image(IMAGE);
    }
    return ran;
}

int main(int argc, char **argv)
{
    int ran;

    attack_start(argc, argv);
    attempt("malformed images");
    ran = mutate_headers() + cut_short() + wild_tables();
    raw(SYS_unlink, path);
    if (natively && ran)
        works("%d malformed images run", ran);
    contained("%d malformed images ran, all under supervision", ran);
}
