/* What is done to a stopped tracee: its going on, its registers, its memory. */

int sb_resume(int pid, int what, int signo)
{
    return request(what, pid, 0, signo) < 0 ? -errno : 0;
}

/* A tracee that vanished (ESRCH) is reported by the wait that follows. */
int sb_resume_wait(int pid, int what, int signo, sb_event *event, int64_t deadline_ns)
{
    if (request(what, pid, 0, signo) < 0 && errno != ESRCH)
        return -errno;
    return sb_wait(event, deadline_ns);
}

int sb_poke(int pid, int offset, uint64_t value)
{
    return request(PTRACE_POKEUSR, pid, offset, value) < 0 ? -errno : 0;
}

/* orig_rax = -1 skips the call (seccomp_filter, "SECCOMP_RET_TRACE"); rax is what the guest sees. */
int sb_answer(int pid, int64_t value)
{
    int failed = sb_poke(pid, offsetof(struct user_regs_struct, orig_rax), ~0ULL);

    if (!failed)
        failed = sb_poke(pid, offsetof(struct user_regs_struct, rax), (uint64_t)value);
    return failed ? failed : sb_resume(pid, PTRACE_CONT, 0);
}

int sb_answer_wait(int pid, int64_t value, sb_event *event, int64_t deadline_ns)
{
    int failed = sb_answer(pid, value);

    return failed && failed != -ESRCH ? failed : sb_wait(event, deadline_ns);
}

int sb_registers(int pid, uint64_t *registers)
{
    return request(PTRACE_GETREGS, pid, 0, (unsigned long)registers) < 0 ? -errno : 0;
}

int sb_get_mask(int pid, uint64_t *mask)
{
    return request(PTRACE_GETSIGMASK, pid, sizeof *mask, (unsigned long)mask) < 0 ? -errno : 0;
}

int sb_set_mask(int pid, uint64_t mask)
{
    return request(PTRACE_SETSIGMASK, pid, sizeof mask, (unsigned long)&mask) < 0 ? -errno : 0;
}

/* ---- guest memory ---- */

/* CR4.PKE: the kernel uses protection keys (pkeys(7)). */
static int has_protection_keys(void)
{
    unsigned a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && c >> 4 & 1;
}

/* Whether the kernel, copying for the tracee itself, could read at `address`: it can where a mapping allows any access
 * (arch/x86/mm/fault.c, access_error()), since on x86 what can be written or executed can be read. Memory that can only
 * be executed is the exception where the processor has protection keys: the kernel gives it one.
 * `end` becomes the mapping's end. -1 where it cannot be told: maps of an undumpable tracee are root's. */
static int kernel_reads(int pid, uint64_t address, uint64_t *end)
{
    char path[32], line[512];
    unsigned long from, to;
    char access[5];
    FILE *maps;
    int found = 0;

    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    maps = fopen(path, "re");
    if (!maps)
        return -1;
    while (!found && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %4s", &from, &to, access) == 3 && address < to) {
            if (address < from)
                break;
            *end = to;
            found = access[0] == 'r' || access[1] == 'w' || (access[2] == 'x' && !has_protection_keys());
            break;
        }
        while (!strchr(line, '\n') && fgets(line, sizeof line, maps))
            ; /* the rest of a long line */
    }
    fclose(maps);
    return found;
}

/* What process_vm_readv(2) refuses (-EFAULT) and the kernel reads, by PTRACE_PEEKDATA, which asks for no right to read:
 * so the mapping is asked first. Reads on to the end of the mapping at most. Bytes read, or a negative errno. */
static int64_t peek(int pid, uint64_t address, char *buffer, uint64_t length)
{
    uint64_t have = 0, end = ~0ULL;

    if (!kernel_reads(pid, address, &end))
        return -EFAULT;
    if (length > end - address)
        length = end - address;
    while (have < length) {
        uint64_t at = address + have, skip = at & 7, size = 8 - skip, word;

        if (request(PTRACE_PEEKDATA, pid, at - skip, (unsigned long)&word) < 0)
            return have ? (int64_t)have : errno == EIO ? -EFAULT : -errno;
        if (size > length - have)
            size = length - have;
        memcpy(buffer + have, (char *)&word + skip, size);
        have += size;
    }
    return (int64_t)have;
}

/* Guest memory as the kernel's own copy would read it, up to the first byte that it could not: how many bytes, or a
 * negative errno for none. -ENOSYS, -EPERM: there is no process_vm_readv(2) here. */
int64_t sb_read(int pid, uint64_t address, void *buffer, uint64_t length)
{
    uint64_t have = 0;

    if (address >> 63) /* the vsyscall page, which other processes read and the kernel's copy does not (access_ok()) */
        return -EFAULT;
    while (have < length) {
        struct iovec local = { (char *)buffer + have, length - have }, remote = { (void *)(address + have), length - have };
        int64_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);

        if (got < 0 && errno == EFAULT)
            got = peek(pid, address + have, (char *)buffer + have, length - have);
        else if (got < 0)
            got = -errno;
        if (got <= 0)
            return have ? (int64_t)have : got;
        have += (uint64_t)got;
    }
    return (int64_t)have;
}

int64_t sb_write(int pid, uint64_t address, const void *buffer, uint64_t length)
{
    struct iovec local = { (void *)buffer, length }, remote = { (void *)address, length };
    ssize_t got = process_vm_writev(pid, &local, 1, &remote, 1, 0);

    return got < 0 ? -errno : got;
}

/* Reads up to and without the NUL, page by page so that a string just before a hole is read whole.
 * -ENAMETOOLONG: no NUL within length bytes. */
int64_t sb_read_string(int pid, uint64_t address, void *buffer, uint64_t length)
{
    uint64_t have = 0;

    while (have < length) {
        uint64_t chunk = 4096 - ((address + have) & 4095);
        int64_t got = sb_read(pid, address + have, (char *)buffer + have, chunk < length - have ? chunk : length - have);
        char *end;

        if (got <= 0)
            return got < 0 ? got : -EFAULT;
        end = memchr((char *)buffer + have, 0, (size_t)got);
        if (end)
            return end - (char *)buffer;
        have += (uint64_t)got;
    }
    return -ENAMETOOLONG;
}

/* The initial stack (System V ABI): argc, argv…, NULL, envp…, NULL, (type, value)…, AT_NULL.
 * Turns the entry `type` into AT_IGNORE. 1: done, 0: there is none. */
int sb_hide_auxv(int pid, uint64_t stack, uint64_t type)
{
    uint64_t words[512], ignore = 1, at = stack + 8;
    int nulls = 0;

    for (;;) {
        int64_t got = sb_read(pid, at, words, sizeof words);
        int64_t count = got / 8, i = 0;

        if (got < 0)
            return (int)got;
        if (count < 2)
            return -EFAULT;
        while (nulls < 2 && i < count)
            nulls += words[i++] == 0;
        for (; nulls == 2 && i + 1 < count; i += 2) {
            if (words[i] == type)
                return (got = sb_write(pid, at + i * 8, &ignore, 8)) < 0 ? (int)got : 1;
            if (words[i] == 0)
                return 0;
        }
        at += i * 8;
    }
}

/* One aligned word of a tracee's memory, whatever its mapping allows. */
int sb_peek(int pid, uint64_t address, uint64_t *word)
{
    return request(PTRACE_PEEKDATA, pid, address, (unsigned long)word) < 0 ? -errno : 0;
}

int sb_kill(int pid, int signo)
{
    return kill(pid, signo) < 0 ? -errno : 0;
}

/* Whether a tracee stops once more before it is gone (PTRACE_O_TRACEEXIT). */
int sb_trace_exit(int pid, int wanted)
{
    return request(PTRACE_SETOPTIONS, pid, 0, SEIZE_OPTIONS | (wanted ? PTRACE_O_TRACEEXIT : 0)) < 0 ? -errno : 0;
}
