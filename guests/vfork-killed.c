/* The child ends itself by a signal before exec: the parent goes on and waits for it as usual.
 *     vfork-killed        SIGKILL
 *     vfork-killed term   SIGTERM
 * Expected: exit 0 under ostoo, default and natively.
 * build: musl
 * with: lib/trampoline.S */
#include <signal.h>

#include "lib/vfork.h"

static volatile int progress;

static long child(void *signal)
{
    progress = 1;
    linger(500);
    progress = 2;
    raw(SYS_kill, raw(SYS_getpid), signal);
    not_reached();
}

int main(int argc, char **argv)
{
    int signal = argc > 1 && same_text(argv[1], "term") ? SIGTERM : SIGKILL;
    long pid = vfork_child(child, (void *)(long)signal);

    expect_equal(progress, 2, "how far the child had come when the parent went on");
    expect_killed(pid, signal);
    say("the parent went on when the child had died of signal %d", signal);
    return 0;
}
