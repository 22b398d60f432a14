/* Signals are what they are without a supervisor: handlers, siginfo, masks, SA_RESTART and EINTR, alternate stacks,
 * nesting, a changed context; SIGTRAP reaches its handler whether it was sent or raised by int3.
 * Expected: exit 0 under default and natively.
 * build: musl glibc */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "lib/expect.h"

enum { ALTERNATE_SIZE = 64 * 1024, CHILD_STATUS = 3, TICK_US = 5000 };

static volatile int calls, depth, deepest, restarts_left;
static volatile siginfo_t last;
static char alternate_stack[ALTERNATE_SIZE];
static void *volatile handler_frame;
static sigjmp_buf after_fault;
static int ends[2];

static void catch(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

    sigemptyset(&action.sa_mask);
    expect(!sigaction(signal, &action, NULL), "sigaction");
    calls = 0;
}

static void note(int signal, siginfo_t *info, void *context)
{
    int local;

    (void)signal, (void)context;
    last = *info;
    handler_frame = &local;
    calls++;
}

static void sent_by_kill(int signal)
{
    catch(signal, note, 0);
    expect(!kill(getpid(), signal), "kill");
    expect_equal(calls, 1, "calls of the handler for a sent signal");
    expect_equal(last.si_signo, signal, "si_signo");
    expect_equal(last.si_code, SI_USER, "si_code of kill");
    expect_equal(last.si_pid, getpid(), "si_pid of kill");
}

static void queued_with_value(void)
{
    catch(SIGRTMIN + 1, note, 0);
    expect(!sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 4711}), "sigqueue");
    expect_equal(calls, 1, "calls of the handler for a queued signal");
    expect_equal(last.si_code, SI_QUEUE, "si_code of sigqueue");
    expect_equal(last.si_value.sival_int, 4711, "si_value");
}

static void child_ended(char *self)
{
    char *argv[] = {self, "child", NULL};
    int status;
    pid_t pid;

    catch(SIGCHLD, note, SA_RESTART);
    expect(!posix_spawn(&pid, self, NULL, NULL, argv, environ), "posix_spawn");
    expect_equal(waitpid(pid, &status, 0), pid, "waitpid");
    expect_equal(calls, 1, "calls of the handler for SIGCHLD");
    expect_equal(last.si_code, CLD_EXITED, "si_code of SIGCHLD");
    expect_equal(last.si_pid, pid, "si_pid of SIGCHLD");
    expect_equal(last.si_status, CHILD_STATUS, "si_status of SIGCHLD");
    signal(SIGCHLD, SIG_DFL);
}

/* The processor's own trap carries another si_code than a sent SIGTRAP. */
static void breakpoint(void)
{
    catch(SIGTRAP, note, 0);
    __asm__ volatile("int3");
    expect_equal(calls, 1, "calls of the handler for int3");
    expect(last.si_code > 0, "si_code of int3 is the kernel's");
}

static void blocked_until_wanted(void)
{
    sigset_t set, before, pending;

    catch(SIGUSR1, note, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &before);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    sigpending(&pending);
    expect(calls == 0 && sigismember(&pending, SIGUSR1), "a blocked signal is pending");
    expect(sigsuspend(&before) == -1 && errno == EINTR, "sigsuspend ends with EINTR");
    expect_equal(calls, 1, "a standard signal is pending once");
    sigprocmask(SIG_SETMASK, &before, NULL);
    expect_equal(calls, 1, "nothing is left over");
}

/* SIGUSR1 sends itself (which waits, being blocked in its own handler) and SIGUSR2 (which nests). */
static void nest(int signal, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    calls++;
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (signal == SIGUSR1 && calls == 1) {
        kill(getpid(), SIGUSR1);
        expect_equal(calls, 1, "a handler's own signal waits for its return");
        kill(getpid(), SIGUSR2);
        expect_equal(calls, 2, "another signal nests");
    }
    depth--;
}

static void nested(void)
{
    catch(SIGUSR2, nest, 0);
    catch(SIGUSR1, nest, 0);
    kill(getpid(), SIGUSR1);
    expect_equal(calls, 3, "calls of nested handlers");
    expect_equal(deepest, 2, "depth of nesting");
}

static void on_other_stack(void)
{
    stack_t stack = {.ss_sp = alternate_stack, .ss_size = ALTERNATE_SIZE};
    char *frame;

    expect(!sigaltstack(&stack, NULL), "sigaltstack");
    catch(SIGUSR1, note, SA_ONSTACK);
    kill(getpid(), SIGUSR1);
    frame = handler_frame;
    expect(frame >= alternate_stack && frame < alternate_stack + ALTERNATE_SIZE, "the handler's stack");
    stack.ss_flags = SS_DISABLE;
    expect(!sigaltstack(&stack, NULL), "sigaltstack");
}

static void skip_ud2(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RBX] = 12345;
}

static void changed_context(void)
{
    long rbx = 0;

    catch(SIGILL, skip_ud2, 0);
    __asm__ volatile("ud2" : "+b"(rbx));
    expect_equal(rbx, 12345, "a register that the handler changed");
}

static void jump_out(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    last = *info;
    siglongjmp(after_fault, 1);
}

static void fault(void)
{
    catch(SIGSEGV, jump_out, 0);
    if (!sigsetjmp(after_fault, 1)) {
        __asm__ volatile("movl $0, 16" ::: "memory");
        not_reached();
    }
    expect_equal(last.si_addr, 16, "si_addr");
    expect_equal(last.si_code, SEGV_MAPERR, "si_code of a fault");
}

static void tick_every(long us)
{
    struct itimerval timer = {.it_interval = {0, us}, .it_value = {0, us}};

    expect(!setitimer(ITIMER_REAL, &timer, NULL), "setitimer");
}

static void write_at_last(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info, (void)context;
    if (restarts_left-- == 0)
        expect_equal(write(ends[1], "!", 1), 1, "write");
}

static void interrupted(void)
{
    char byte;

    expect(!pipe(ends), "pipe");
    catch(SIGALRM, note, 0);
    tick_every(TICK_US);
    expect(read(ends[0], &byte, 1) == -1 && errno == EINTR, "read without SA_RESTART ends with EINTR");
    tick_every(0);
    restarts_left = 3;
    catch(SIGALRM, write_at_last, SA_RESTART);
    tick_every(TICK_US);
    expect_equal(read(ends[0], &byte, 1), 1, "read with SA_RESTART");
    tick_every(0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && same_text(argv[1], "child"))
        return CHILD_STATUS;
    sent_by_kill(SIGUSR1);
    sent_by_kill(SIGTRAP);
    sent_by_kill(SIGSYS);
    queued_with_value();
    child_ended(argv[0]);
    breakpoint();
    blocked_until_wanted();
    nested();
    on_other_stack();
    changed_context();
    fault();
    interrupted();
    say("every signal came as it should");
    return 0;
}
