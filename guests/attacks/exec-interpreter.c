/* A second path that the kernel opens by itself: the interpreter of a `#!` script, of a script whose interpreter is a
 * script, and an ELF's PT_INTERP. A sandbox that judges the first path only runs another program than it thinks.
 * Natively the interpreter runs and reaches the victim. Here it runs under the same filter and supervisor as any
 * program, or not at all (`#!` is ENOEXEC under ostoo), and Landlock asks for the right to execute each of the files.
 * class: 77
 * contained: errno
 * ways: 3
 * build: musl */
#include <elf.h>

#include "lib/files.h"

static char paths[4][PATH_SIZE];

/* A file with `bytes` to exec: in the working directory, or in a memfd where nothing can be written. */
static int make(int which, const void *bytes, size_t size)
{
    static const char *const names[] = {"interpreter-0", "interpreter-1", "interpreter-2", "interpreter-3"};
    long fd;

    in_work(paths[which], names[which]);
    raw(SYS_unlink, paths[which]);
    fd = open_path(paths[which], O_WRONLY | O_CREAT | O_EXCL);
    if (fd < 0 && (fd = raw(SYS_memfd_create, "script", 0)) >= 0)
        path_join(paths[which], "/proc/self/fd/", decimal(fd));
    if (fd < 0 || raw(SYS_write, fd, bytes, size) != (long)size)
        return 0;
    raw(SYS_fchmod, fd, 0755);
    if (paths[which][1] != 'p')
        raw(SYS_close, fd);
    return 1;
}

static int make_script(int which, const char *interpreter)
{
    static char text[PATH_SIZE + 16];

    path_join(text, "#!", interpreter);
    path_join(text + strlen(text), natively ? " native\n" : " probe\n", "");
    return make(which, text, strlen(text));
}

/* kill(victim, SIGCONT), then exit with GOT_THROUGH where that answered 0 and with one less otherwise. */
static const unsigned char probe_code[] = {
    0xbf, 0, 0, 0, 0, 0xbe, SIGCONT, 0, 0, 0, 0xb8, SYS_kill, 0, 0, 0, 0x0f, 0x05, 0xf7, 0xd8, 0x19, 0xff,
    0x83, 0xc7, GOT_THROUGH, 0xb8, SYS_exit_group, 0, 0, 0, 0x0f, 0x05,
};

static struct {
    Elf64_Ehdr head;
    Elf64_Phdr segment;
    union {
        char name[PATH_SIZE];
        unsigned char code[sizeof probe_code];
    };
} image;

static int make_image(int which, Elf64_Phdr segment)
{
    image.head = (Elf64_Ehdr){
        .e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = 1, .e_phoff = sizeof image.head,
        .e_entry = offsetof(__typeof__(image), code), .e_ehsize = sizeof image.head,
        .e_phentsize = sizeof image.segment, .e_phnum = 1,
    };
    memcpy(image.head.e_ident, "\177ELF\2\1\1", 7);
    image.segment = segment;
    return make(which, &image, sizeof image);
}

/* An interpreter of a few instructions. */
static int make_interpreter(int which)
{
    int pid = (int)victim();

    memcpy(image.code, probe_code, sizeof probe_code);
    memcpy(image.code + 1, &pid, sizeof pid);
    return make_image(which, (Elf64_Phdr){
        .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = sizeof image, .p_memsz = sizeof image,
        .p_align = 4096,
    });
}

/* An ELF that names it, with nothing of its own to load. */
static int make_interpreted(int which, const char *interpreter)
{
    path_join(image.name, interpreter, "");
    return make_image(which, (Elf64_Phdr){
        .p_type = PT_INTERP, .p_offset = offsetof(__typeof__(image), name), .p_filesz = strlen(interpreter) + 1,
    });
}

static long run(void *path)
{
    exec_stage_from(path, "probe");
    leave(0);
}

static int runs(int made, char *path)
{
    long pid = made ? spawn_child(run, path) : 0;

    if (pid == -ENOSYS)
        unreached("no second task");
    return pid > 0 && exited_with(wait_for(pid), GOT_THROUGH);
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    if (has_word(argv, "probe") || (argc > 2 && strstr(argv[argc - 1], "interpreter-")))
        leave(reaches_victim() ? GOT_THROUGH : 0);
    way(runs(make_script(0, own_path()), paths[0]), "the interpreter of a script");
    way(runs(make_script(1, paths[0]), paths[1]), "the interpreter of an interpreter");
    way(runs(make_interpreter(2) && make_interpreted(3, paths[2]), paths[3]), "the interpreter of an ELF");
    for (int i = 0; i < 4; i++)
        raw(SYS_unlink, paths[i]);
    ways_end("interpreters");
}
