/* The hand that touches the box: makes exact raw system calls, given as data on standard input, and tells on standard
 * output what came of each. The format is that of sandbox/conformance/wire.py, little-endian throughout.
 *     prober                   probes from standard input until its end, one report after each
 *     prober exit N ...        ends with status N: what a probe's child may execute
 *     prober vdso              ends with status 1 if the auxiliary vector names a vDSO, 0 if it does not
 *     prober fd N              ends with status 0 if descriptor N is open, 1 if it is not, 2 if fcntl does not tell
 * It needs read, write, exit and exit_group; clone 0x4111, wait4 and fcntl only where a probe asks for them.
 * Expected: exit 0 under every policy and natively, if no probe ends it; 1 with FAIL for input of another format.
 * build: raw
 * with: lib/probe.S lib/trampoline.S */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>

#include "lib/bases.h"
#include "lib/probe.h"
#include "lib/vfork.h"

enum {
    MAGIC = 0x31425250, /* "PRB1" */
    INPUT = 4 << 20,
    OUTPUT = 1 << 17,
    ARENA = 64 * 1024,
    LEVELS = 10,
    STEPS = 80,
    SIGNALS = 16,
    STACK = 16 * 1024,
    NO_MARKER = 0xffffffff,
};

/* What of a step's changes is no register of struct probe_registers: the bits behind those. */
enum { FS_BASE = 33, GS_BASE = 34 };
enum { SET_GS = 0x1001, SET_FS = 0x1002, CLONE_ARGS_TLS = 7 };
/* Flags of a probe. */
enum { ISOLATE = 1, NO_REAPING = 2 };
/* Of the number of a RESULT: its step and its level have a byte each, what is added to it has the rest. */
enum { RESULT_LEVEL = 8, RESULT_PLUS = 16 };
/* What a patch of the arena or an argument holds. */
enum { CONSTANT, IN_ARENA, RESULT, WORD, HANDLER, RESTORER, BYTES, FS_WORD };
/* How far a step has come. */
enum { NOT_BEGUN, BEGUN, CAME_BACK };

struct value {
    unsigned long kind, number;
};

struct step {
    unsigned long rax;
    unsigned entry, spin;
    struct value args[6];
};

struct seen {
    unsigned state, before, after;
    int status; /* what wait4 said of the child this step made, -1 without one */
    long rax;
    unsigned long changed;
    long childless; /* what wait4 answered after a step that made no task: -ECHILD where there is no child; 1 unasked */
};

struct level {
    unsigned long child_changed, child_rsp, child_begun;
    unsigned count, reserved;
    struct seen seen[STEPS];
};

struct marker {
    unsigned long slot, rax, args[6];
};

struct probe {
    unsigned index, flags, look_at, look_size, patches, levels;
};

struct report {
    unsigned magic, index, levels;
    int status; /* of the child that isolates, -1 without one */
    unsigned first_changed, end_changed, signals, look_size;
};

static unsigned char input[INPUT], output[OUTPUT];
static _Alignas(4096) unsigned char arena[ARENA], before[ARENA];
static _Alignas(16) char stacks[LEVELS + 1][STACK], isolation_stack[STACK];
static struct marker marker;
static struct probe probe;
static const unsigned char *scripts[LEVELS];
static struct level levels[LEVELS];
static volatile unsigned depth, clock, children_done;
static int sees_bases;
static struct bases child_wants;
static volatile unsigned signals[SIGNALS][2], signal_count;

static void copy(void *to, const void *from, unsigned long size)
{
    unsigned char *target = to;
    const unsigned char *source = from;

    while (size--)
        *target++ = *source++;
}

static void clear(void *what, unsigned long size)
{
    unsigned char *target = what;

    while (size--)
        *target++ = 0;
}

static unsigned now(void)
{
    return __atomic_add_fetch(&clock, 1, __ATOMIC_SEQ_CST);
}

void probe_signal(int signo)
{
    unsigned slot = signal_count;

    if (slot < SIGNALS) {
        signals[slot][0] = (unsigned)signo;
        signals[slot][1] = now();
        signal_count = slot + 1;
    }
}

static unsigned long value_of(struct value value)
{
    unsigned word;
    unsigned long level = value.number >> RESULT_LEVEL & 0xff, step = value.number & 0xff;

    switch (value.kind) {
    case IN_ARENA:
        return (unsigned long)arena + value.number;
    case RESULT:
        expect(level < LEVELS && step < STEPS, "a result of a step there is");
        return (unsigned long)(levels[level].seen[step].rax + ((long)value.number >> RESULT_PLUS));
    case WORD:
        expect(value.number <= ARENA - sizeof word, "a word in the arena");
        copy(&word, arena + value.number, sizeof word);
        return word;
    case HANDLER:
        return (unsigned long)probe_handler;
    case RESTORER:
        return (unsigned long)probe_restorer;
    case FS_WORD:
        __asm__ volatile("movl %%fs:(%1), %0" : "=r"(word) : "r"(value.number));
        return word;
    default:
        return value.number;
    }
}

static int makes_tasks(const struct step *step)
{
    unsigned nr = (unsigned)step->rax;

    return step->entry == 0 && (nr == SYS_clone || nr == SYS_fork || nr == SYS_vfork || nr == SYS_clone3);
}

/* One bit for each register that differs, in the order of struct probe_registers, one for each xmm. */
static unsigned long differences(const struct probe_registers *seen, const struct probe_registers *want)
{
    const unsigned long *a = &seen->rax, *b = &want->rax;
    unsigned long mask = 0;

    for (unsigned i = 0; i < 17; i++)
        mask |= (unsigned long)(a[i] != b[i]) << i;
    for (unsigned i = 0; i < 16; i++)
        mask |= (unsigned long)(seen->xmm[2 * i] != want->xmm[2 * i] || seen->xmm[2 * i + 1] != want->xmm[2 * i + 1])
                << (17 + i);
    return mask;
}

static struct bases bases_now(void)
{
    struct bases none = {0, 0};

    return sees_bases ? get_bases() : none;
}

static unsigned long base_differences(struct bases seen, struct bases want)
{
    return (unsigned long)(seen.fs != want.fs) << FS_BASE | (unsigned long)(seen.gs != want.gs) << GS_BASE;
}

/* arch_prctl is asked to change a base, and a policy may answer it without doing so. */
static struct bases in_caller(const struct probe_registers *call, struct bases was, struct bases is)
{
    if ((unsigned)call->rax == SYS_arch_prctl && call->rdi == SET_FS && is.fs == call->rsi)
        was.fs = is.fs;
    if ((unsigned)call->rax == SYS_arch_prctl && call->rdi == SET_GS && is.gs == call->rsi)
        was.gs = is.gs;
    return was;
}

/* CLONE_SETTLS is the one way for a child to begin with another fs_base. */
static struct bases in_child(struct bases parents)
{
    const unsigned long *given = (const unsigned long *)probe_in.rdi;

    if ((unsigned)probe_in.rax == SYS_clone && (probe_in.rdi & CLONE_SETTLS))
        parents.fs = probe_in.r8;
    if ((unsigned)probe_in.rax == SYS_clone3 && (given[0] & CLONE_SETTLS))
        parents.fs = given[CLONE_ARGS_TLS];
    return parents;
}

/* What `prober fd N` ends with. */
static int descriptor_status(int fd)
{
    long got = raw(SYS_fcntl, fd, F_GETFD);

    return got >= 0 ? 0 : got == -EBADF ? 1 : 2;
}

static void load_registers(const struct step *step)
{
    unsigned long *word = &probe_in.rax;

    for (unsigned i = 0; i < sizeof probe_in / sizeof *word; i++)
        word[i] = 0xa5c3000000000000UL + i * 0x0101010101UL;
    for (unsigned i = 0; i < 6; i++)
        (&probe_in.rdi)[i] = value_of(step->args[i]);
    probe_in.rax = step->rax;
    probe_in.rflags = 0x2 | 0x200 | 0x400 | 0x855; /* fixed, interrupts, direction, arithmetic */
}

static void spin(unsigned turns)
{
    while (turns--)
        __builtin_ia32_pause();
}

static void make_call(const struct step *step, struct seen *seen)
{
    const struct probe_registers *out = &probe_out;
    struct probe_registers want;
    struct bases was = bases_now(), is;

    load_registers(step);
    want = probe_in; /* a child that makes calls of its own overwrites it */
    child_wants = was;
    probe_out_zero.rax = 1;
    probe_makes_tasks = (unsigned long)makes_tasks(step);
    probe_child_stack = (unsigned long)(stacks[depth + 1] + STACK);
    seen->state = BEGUN;
    seen->before = now();
    if (step->entry)
        probe_int80();
    else
        probe_syscall();
    is = bases_now();
    seen->after = now();
    seen->state = CAME_BACK;
    if (!makes_tasks(step) && !probe_out_zero.rax)
        out = &probe_out_zero;
    want.rsp = makes_tasks(step) ? out->rsp : probe_in.rsp;
    seen->rax = (long)out->rax;
    seen->changed = differences(out, &want) | base_differences(is, in_caller(&want, was, is));
}

/* A child that shares our memory and has not stopped us may still need what the next call overwrites. */
static void await_sharing_child(const struct step *step)
{
    unsigned turns = 100000000;

    if ((unsigned)step->rax != SYS_clone || (value_of(step->args[0]) & (CLONE_VM | CLONE_VFORK)) != CLONE_VM)
        return;
    while (!children_done && --turns)
        __builtin_ia32_pause();
}

static void account_for_tasks(const struct step *step, struct seen *seen)
{
    seen->status = -1;
    seen->childless = 1;
    if (!makes_tasks(step) || (probe.flags & NO_REAPING))
        return;
    if (seen->rax > 0) {
        await_sharing_child(step);
        while (raw(SYS_wait4, seen->rax, &seen->status, __WALL, 0) == -4)
            ;
    } else {
        seen->childless = raw(SYS_wait4, -1, 0, WNOHANG | __WALL, 0);
    }
}

static void mark(void)
{
    unsigned long args[6];

    if (marker.rax == NO_MARKER)
        return;
    copy(args, marker.args, sizeof args);
    args[marker.slot] += probe.index;
    raw(marker.rax, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static void run_level(unsigned here)
{
    const unsigned char *at = scripts[here];

    for (unsigned i = 0; i < levels[here].count; i++, at += sizeof(struct step)) {
        struct step step;
        struct seen *seen = &levels[here].seen[i];

        copy(&step, at, sizeof step);
        spin(step.spin);
        if (here == 0 && i + 1 == levels[0].count) {
            mark();
            copy(before, arena, sizeof arena);
        }
        depth = here;
        make_call(&step, seen);
        depth = here;
        account_for_tasks(&step, seen);
    }
}

_Noreturn void probe_child(void)
{
    unsigned here = depth + 1;
    struct level *level = &levels[here < LEVELS ? here : LEVELS - 1];
    struct probe_registers want = probe_in;

    want.rax = 0;
    want.rcx = probe_out_zero.rcx;
    want.r11 = probe_out_zero.r11;
    if ((unsigned)probe_in.rax == SYS_clone && probe_in.rsi)
        want.rsp = probe_in.rsi;
    level->child_changed =
        differences(&probe_out_zero, &want) | base_differences(bases_now(), in_child(child_wants));
    level->child_rsp = probe_out_zero.rsp;
    level->child_begun = now();
    if (here < probe.levels)
        run_level(here);
    children_done = 1;
    for (;;)
        raw(SYS_exit, 0);
}

static long isolated(void *unused)
{
    (void)unused;
    run_level(0);
    return 0;
}

static void run_probe(struct report *report)
{
    long child;

    report->status = -1;
    clock = children_done = signal_count = 0;
    if (sees_bases) /* so that a base set to 0 is seen, and the one that an earlier probe left is not taken for ours */
        set_bases(arena, before);
    if (!(probe.flags & ISOLATE)) {
        run_level(0);
        return;
    }
    child = guest_clone(isolated, NULL, VFORK_FLAGS, isolation_stack + STACK, NULL, NULL, NULL);
    if (child <= 0)
        fail("clone(0x4111) to isolate: %ld", child);
    report->status = wait_status(child);
}

static void compare_memory(struct report *report)
{
    const struct level *top = &levels[0];
    unsigned first = 0, end = ARENA;

    report->first_changed = report->end_changed = 0;
    if (!top->count || top->seen[top->count - 1].state == NOT_BEGUN)
        return;
    while (first < ARENA && arena[first] == before[first])
        first++;
    if (first == ARENA)
        return;
    while (arena[end - 1] == before[end - 1])
        end--;
    report->first_changed = first;
    report->end_changed = end;
}

static unsigned char *put(unsigned char *at, const void *what, unsigned long size)
{
    expect(size <= (unsigned long)(output + OUTPUT - at), "a report fits");
    copy(at, what, size);
    return at + size;
}

static void tell(struct report *report)
{
    unsigned char *end = output + 4 + sizeof *report, *from = output;
    unsigned size;

    for (unsigned i = 0; i < signal_count; i++) {
        unsigned both[2] = {signals[i][0], signals[i][1]};
        end = put(end, both, sizeof both);
    }
    end = put(end, arena + probe.look_at, probe.look_size);
    for (unsigned i = 0; i < probe.levels; i++) {
        end = put(end, &levels[i], sizeof levels[i] - sizeof levels[i].seen);
        end = put(end, levels[i].seen, levels[i].count * sizeof *levels[i].seen);
    }
    report->magic = MAGIC;
    report->index = probe.index;
    report->levels = probe.levels;
    report->signals = signal_count;
    report->look_size = probe.look_size;
    copy(output + 4, report, sizeof *report);
    size = (unsigned)(end - output) - 4;
    copy(output, &size, 4);
    while (from < end) {
        long got = raw(SYS_write, 1, from, end - from);
        expect(got > 0, "a report can be written");
        from += got;
    }
}

static const unsigned char *take(const unsigned char **at, const unsigned char *end, unsigned long size)
{
    const unsigned char *from = *at;

    expect(size <= (unsigned long)(end - from), "the input is whole");
    *at += size;
    return from;
}

static void patch(const unsigned char **at, const unsigned char *end)
{
    struct {
        unsigned offset, kind;
        unsigned long number;
    } given;

    copy(&given, take(at, end, sizeof given), sizeof given);
    if (given.kind == BYTES) {
        expect(given.offset <= ARENA && given.number <= ARENA - given.offset, "bytes lie in the arena");
        copy(arena + given.offset, take(at, end, given.number), given.number);
    } else {
        struct value value = {given.kind, given.number};
        unsigned long word = value_of(value);

        expect(given.offset <= ARENA - sizeof word, "a pointer lies in the arena");
        copy(arena + given.offset, &word, sizeof word);
    }
}

static void prepare(const unsigned char **at, const unsigned char *end)
{
    copy(&probe, take(at, end, sizeof probe), sizeof probe);
    expect(probe.levels <= LEVELS, "no more levels than there are");
    expect(probe.look_at <= ARENA && probe.look_size <= ARENA - probe.look_at, "a look at the arena");
    clear(levels, sizeof levels);
    for (unsigned i = 0; i < ARENA; i++)
        arena[i] = (unsigned char)(1 + i % 251);
    for (unsigned i = 0; i < probe.patches; i++)
        patch(at, end);
    for (unsigned i = 0; i < probe.levels; i++) {
        copy(&levels[i].count, take(at, end, 4), 4);
        expect(levels[i].count <= STEPS, "no more steps than there may be");
        scripts[i] = take(at, end, levels[i].count * sizeof(struct step));
    }
}

static unsigned long read_input(void)
{
    unsigned long size = 0;

    for (;;) {
        long got = raw(SYS_read, 0, input + size, INPUT - size);

        if (got == 0)
            return size;
        expect(got > 0, "standard input can be read, and is not too long");
        size += (unsigned long)got;
    }
}

int main(int argc, char **argv, char **envp)
{
    const unsigned char *at = input, *end;
    unsigned magic;

    if (argc >= 3 && same_text(argv[1], "exit"))
        return (int)to_number(argv[2]);
    if (argc == 2 && same_text(argv[1], "vdso"))
        return auxv_value(envp, AUXV_VDSO) != 0;
    if (argc == 3 && same_text(argv[1], "fd"))
        return descriptor_status((int)to_number(argv[2]));
    sees_bases = (auxv_value(envp, AUXV_HWCAP2) & HWCAP2_HAS_FSGSBASE) != 0;
    end = input + read_input();
    copy(&magic, take(&at, end, 4), 4);
    expect(magic == MAGIC, "the input is of this format");
    copy(&marker, take(&at, end, sizeof marker), sizeof marker);
    expect(marker.slot < 6, "the marker has its slot");
    while (at < end) {
        struct report report;

        prepare(&at, end);
        run_probe(&report);
        compare_memory(&report);
        tell(&report);
    }
    return 0;
}
