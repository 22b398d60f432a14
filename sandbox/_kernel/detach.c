/* Code of ours in files that a guest may write: one of this run, or of another. A private mapping of a file shows what is
 * written to the file as long as a page was not written to (mmap(2)), and what is cut off the file is SIGBUS. So those
 * mappings become memory of our own, with the same content, at the same addresses. */

struct ours {
    const char *program; /* the main program's path, which the dynamic linker does not tell */
    const char *const *places;
    int count, error;
};

static int is_within(const char *path, const struct ours *ours)
{
    for (int i = 0; i < ours->count; i++) {
        size_t length = strlen(ours->places[i]);

        if (length && !strncmp(path, ours->places[i], length) &&
            (ours->places[i][length - 1] == '/' || path[length] == '/' || !path[length]))
            return 1;
    }
    return 0;
}

/* Whether nobody but root could have put a file here, or can write it: so for each directory on the way. What lies in a
 * user's places can have another name elsewhere (a hard link, a bind mount), and other runs write where this one may not. */
static int is_roots(const char *path)
{
    char beginning[PATH_MAX];
    struct stat facts;

    for (size_t end = 0; path[end]; end++) {
        size_t length = path[end + 1] == '/' || !path[end + 1] ? end + 1 : 0;

        if (!length || length >= sizeof beginning)
            continue;
        memcpy(beginning, path, length);
        beginning[length] = 0;
        if (lstat(beginning, &facts) < 0 || facts.st_uid != 0 || facts.st_mode & (S_IWGRP | S_IWOTH))
            return 0;
    }
    return 1;
}

static int detach(char *from, size_t length, int protection)
{
    void *copy = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (copy == MAP_FAILED)
        return -errno;
    memcpy(copy, from, length);
    if (mprotect(copy, length, protection) || mremap(copy, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, from) == MAP_FAILED) {
        int error = errno;

        munmap(copy, length);
        return -error;
    }
    return 0;
}

static int detach_object(struct dl_phdr_info *info, size_t size, void *data)
{
    struct ours *ours = data;
    const char *name = *info->dlpi_name ? info->dlpi_name : ours->program;
    char path[PATH_MAX];

    (void)size;
    if (*name != '/' || !realpath(name, path) || (is_roots(path) && !is_within(path, ours)))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && !ours->error; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + segment->p_vaddr, to = from + segment->p_filesz;

        if (segment->p_type != PT_LOAD || !segment->p_filesz)
            continue;
        from &= ~(uintptr_t)4095;
        ours->error = detach((char *)from, ((to + 4095) & ~(uintptr_t)4095) - from,
                             (segment->p_flags & PF_R ? PROT_READ : 0) | (segment->p_flags & PF_W ? PROT_WRITE : 0) |
                                 (segment->p_flags & PF_X ? PROT_EXEC : 0));
    }
    for (int i = 0; i < info->dlpi_phnum && !ours->error; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + segment->p_vaddr, to = from + segment->p_memsz;

        if (segment->p_type != PT_GNU_RELRO)
            continue;
        from &= ~(uintptr_t)4095;
        to &= ~(uintptr_t)4095;
        if (to > from && mprotect((void *)from, to - from, PROT_READ))
            ours->error = -errno;
    }
    return ours->error;
}

/* For a process with one thread. 0, or a negative errno. */
int sb_detach(const char *program, const char *const *places, int count)
{
    struct ours ours = { program, places, count, 0 };

    dl_iterate_phdr(detach_object, &ours);
    return ours.error;
}
