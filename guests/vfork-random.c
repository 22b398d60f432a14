/* Trees of processes as scripts say, and what happened in which order; a model of the specification predicts it.
 * Standard input: scripts, each a u16 length and that many bytes. Standard output: for each script, a u16 count of
 * events and 4 bytes for each: depth, letter, u16 value.
 *     S length16 script   spawn a child that follows the script, wait for it; event R, its wait status
 *     E status            exit                                            event E
 *     X status            execute this program so that it exits           event X
 *     F                   execute what is not there                       event F, the errno
 *     K signal            be killed by that signal                        event K
 *     G                   fault                                           event G
 *     V                   a call by int 0x80                              event V
 *     U signal            send it to the parent, who is held              event U; when caught: event H at depth 0
 *     Q                   kill the parent, who is held, then exit         event Q
 *     L turns             linger
 * A script's end is an exit with 0 without an event. Expected: the model's events under ostoo and default with the
 * parent held by the supervisor or the kernel, and natively but for V.
 * build: raw
 * with: lib/trampoline.S lib/probe.S */
#include <signal.h>

#include "lib/probe.h"
#include "lib/vfork.h"

enum { SCRIPTS = 4 << 20, EVENTS = 4096, STACKS = 512, SMALL_STACK = 8 * 1024, EVENT = 4 };

struct task {
    const unsigned char *at, *end;
    long parent;
    unsigned depth;
};

static unsigned char input[SCRIPTS], events[2 + EVENT * EVENTS];
static _Alignas(16) char small_stacks[STACKS][SMALL_STACK];
static struct task tasks[STACKS];
static volatile unsigned event_count, stack_count;
static char *self;

static void event(unsigned depth, char letter, unsigned value)
{
    unsigned char *at = events + 2 + EVENT * event_count;

    expect(event_count < EVENTS, "room for an event");
    at[0] = (unsigned char)depth;
    at[1] = (unsigned char)letter;
    at[2] = (unsigned char)value;
    at[3] = (unsigned char)(value >> 8);
    event_count++;
}

void probe_signal(int signo)
{
    event(0, 'H', (unsigned)signo);
}

_Noreturn void probe_child(void)
{
    not_reached();
}

static void catch_signal(int signo)
{
    /* The kernel's struct sigaction: handler, flags (SA_RESTORER), restorer, mask. */
    unsigned long action[4] = {(unsigned long)probe_handler, 0x04000000, (unsigned long)probe_restorer, ~0UL};

    expect_equal(raw(SYS_rt_sigaction, signo, action, 0, 8), 0, "rt_sigaction");
}

static long follow(void *given);

static void spawn(const struct task *task, unsigned length)
{
    unsigned slot = stack_count++;
    struct task *child = &tasks[slot];
    long pid;

    expect(slot < STACKS, "a stack for each child");
    *child = (struct task){task->at, task->at + length, raw(SYS_getpid), task->depth + 1};
    pid = guest_clone(follow, child, VFORK_FLAGS, small_stacks[slot] + SMALL_STACK, NULL, NULL, NULL);
    if (pid <= 0)
        fail("clone(0x4111): got %ld, want a child's id", pid);
    event(task->depth, 'R', (unsigned)wait_status(pid));
}

static void fault(void)
{
    __asm__ volatile("movl $0, 0");
}

static void foreign_call(void)
{
    long result = 20;

    __asm__ volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
}

static void act(const struct task *task, char letter, unsigned value)
{
    char status[4] = {(char)('0' + value / 100), (char)('0' + value / 10 % 10), (char)('0' + value % 10), 0};
    char *nothing[] = {NULL};

    if (letter == 'F') {
        event(task->depth, letter, (unsigned)-raw(SYS_execve, "./no-such-program", nothing, nothing));
        return;
    }
    event(task->depth, letter, value);
    switch (letter) {
    case 'E':
        raw(SYS_exit, value);
        break;
    case 'X':
        exec_self(self, "exit", status);
        break;
    case 'K':
        raw(SYS_kill, raw(SYS_getpid), value);
        break;
    case 'G':
        fault();
        break;
    case 'V':
        foreign_call();
        break;
    case 'U':
        expect_equal(raw(SYS_kill, task->parent, value), 0, "kill of the parent");
        break;
    case 'Q':
        raw(SYS_kill, task->parent, SIGKILL);
        raw(SYS_exit, 0);
        break;
    default:
        fail("no such letter: %d", letter);
    }
}

static unsigned byte(struct task *task)
{
    expect(task->at < task->end, "a script is whole");
    return *task->at++;
}

static unsigned word(struct task *task)
{
    unsigned low = byte(task);

    return low | byte(task) << 8;
}

static long follow(void *given)
{
    struct task *task = given;

    while (task->at < task->end) {
        char letter = (char)byte(task);

        if (letter == 'S') {
            unsigned length = word(task);

            expect(length <= (unsigned long)(task->end - task->at), "a child's script is whole");
            spawn(task, length);
            task->at += length;
        } else if (letter == 'L') {
            linger((int)byte(task));
        } else {
            act(task, letter, letter == 'F' || letter == 'G' || letter == 'V' || letter == 'Q' ? 0 : byte(task));
        }
    }
    return 0;
}

static unsigned long read_input(void)
{
    unsigned long size = 0;
    long got;

    while ((got = raw(SYS_read, 0, input + size, SCRIPTS - size)) > 0)
        size += (unsigned long)got;
    expect_equal(got, 0, "read");
    return size;
}

static void tell(void)
{
    unsigned char *from = events, *end = events + 2 + EVENT * event_count;

    events[0] = (unsigned char)event_count;
    events[1] = (unsigned char)(event_count >> 8);
    while (from < end) {
        long got = raw(SYS_write, 1, from, end - from);
        expect(got > 0, "write");
        from += got;
    }
}

int main(int argc, char **argv)
{
    struct task whole;

    self = argv[0];
    if (argc > 2)
        return (int)to_number(argv[2]);
    catch_signal(SIGUSR1);
    catch_signal(SIGUSR2);
    whole = (struct task){input, input + read_input(), 0, 0};
    while (whole.at < whole.end) {
        unsigned length = word(&whole);
        struct task root = {whole.at, whole.at + length, 0, 0};

        expect(length <= (unsigned long)(whole.end - whole.at), "the input is whole");
        event_count = stack_count = 0;
        follow(&root);
        tell();
        whole.at += length;
    }
    return 0;
}
