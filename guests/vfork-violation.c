/* The child makes a 32-bit system call (int 0x80) before exec. A filter that kills foreign calls kills the child alone;
 * the parent goes on and sees SIGSYS.
 *     vfork-violation native   the call is answered (or the kernel has no 32-bit calls: SIGSEGV)
 *     vfork-violation killed   the child must die of SIGSYS
 * Expected: exit 0 with `native` natively, with `killed` under every policy.
 * build: musl
 * with: lib/trampoline.S */
#include <signal.h>

#include "lib/vfork.h"

enum { I386_GETPID = 20 };

static volatile int survived;

static long child(void *arg)
{
    int pid;

    (void)arg;
    __asm__ volatile("int $0x80" : "=a"(pid) : "a"(I386_GETPID) : "memory", "r8", "r9", "r10", "r11");
    survived = 1;
    return pid == raw(SYS_getpid) || pid == -38 ? 0 : 1;
}

int main(int argc, char **argv)
{
    int killed = argc > 1 && same_text(argv[1], "killed");
    long pid;
    int status;

    expect(killed || (argc > 1 && same_text(argv[1], "native")), "usage: vfork-violation native|killed");
    pid = vfork_child(child, NULL);
    status = wait_status(pid);
    if (killed) {
        expect(!survived, "not one instruction runs after the violation");
        expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "the child died of SIGSYS");
    } else if (!(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV)) {
        expect_equal(status, 0, "the child's wait status");
    }
    say("the parent went on after the child's 32-bit call");
    return 0;
}
