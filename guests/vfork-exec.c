/* A vfork parent is held until its child has exec'd, and no longer: it then writes the byte that the new program waits
 * for. A parent held until the child's exit would hang here. The parent's memory is the one it had.
 * Expected: exit 0 under ostoo, default and natively.
 * build: musl
 * with: lib/trampoline.S */
#include "lib/vfork.h"

enum { READER_FD = 20, READER_STATUS = 9 };

static char *self;
static volatile int progress;

static long child(void *arg)
{
    progress = 1;
    linger(2000);
    progress = 2;
    exec_self(self, arg, NULL);
    leave(1);
}

static int reader(void)
{
    char byte = 0;

    expect_equal(raw(SYS_read, READER_FD, &byte, 1), 1, "read");
    return byte == '!' ? READER_STATUS : 1;
}

int main(int argc, char **argv)
{
    int ends[2];
    long pid;

    if (argc > 1 && same_text(argv[1], "reader"))
        return reader();
    self = argv[0];
    expect_equal(raw(SYS_pipe2, ends, 0), 0, "pipe2");
    expect_equal(raw(SYS_dup2, ends[0], READER_FD), READER_FD, "dup2");
    pid = vfork_child(child, "reader");
    expect_equal(progress, 2, "how far the child had come when the parent went on");
    expect_equal(raw(SYS_write, ends[1], "!", 1), 1, "write");
    expect_exit(pid, READER_STATUS);
    say("the parent went on when the child had exec'd");
    return 0;
}
