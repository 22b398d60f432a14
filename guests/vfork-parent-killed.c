/* A vfork parent killed while it is held: its child lives on by itself, and nobody is lost.
 *     vfork-parent-killed             MAIN starts A, A vforks C, C kills A, then talks with MAIN over pipes and ends
 *     vfork-parent-killed storm [N]   MAIN kills, after a different delay each time, N processes that vfork as fast as
 *                                     they can; MAIN ends when the last child of the last of them has gone
 * Expected: exit 0 under ostoo, default and natively.
 * build: musl
 * with: lib/trampoline.S */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "lib/vfork.h"

enum { TO_MAIN = 20, FROM_MAIN = 21 };

static long held_pid;

static long kill_parent(void *arg)
{
    char byte = 0;

    (void)arg;
    linger(200);
    expect_equal(raw(SYS_kill, held_pid, SIGKILL), 0, "kill of the held parent");
    expect_equal(raw(SYS_write, TO_MAIN, "k", 1), 1, "write to MAIN");
    expect_equal(raw(SYS_read, FROM_MAIN, &byte, 1), 1, "read from MAIN");
    expect_equal(byte, 'm', "what MAIN said");
    expect_equal(raw(SYS_write, TO_MAIN, "b", 1), 1, "write to MAIN");
    return 0;
}

static long short_life(void *arg)
{
    (void)arg;
    linger(3);
    return 0;
}

static int held_once(void)
{
    held_pid = raw(SYS_getpid);
    vfork_child(kill_parent, NULL);
    not_reached();
}

static int held_often(void)
{
    raw(SYS_write, TO_MAIN, "s", 1);
    for (;;)
        wait_status(vfork_child(short_life, NULL));
}

static pid_t start(char *self, char *role)
{
    char *argv[] = {self, role, NULL};
    pid_t pid = 0;

    expect_equal(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0, "posix_spawn");
    return pid;
}

static void expect_byte(int fd, char want)
{
    char byte = 0;

    expect_equal(raw(SYS_read, fd, &byte, 1), 1, "a byte from the other side");
    expect_equal(byte, want, "the byte from the other side");
}

/* The pipes' far ends have their agreed numbers, and MAIN keeps no copy once the last process has been started. */
static void make_pipes(int *from_children, int *to_children)
{
    int up[2], down[2];

    expect(!pipe2(up, O_CLOEXEC) && !pipe2(down, O_CLOEXEC), "pipe2");
    expect(dup2(up[1], TO_MAIN) == TO_MAIN && dup2(down[0], FROM_MAIN) == FROM_MAIN, "dup2");
    close(up[1]);
    close(down[0]);
    *from_children = up[0];
    *to_children = down[1];
}

static int one(char *self, int from_children, int to_children)
{
    pid_t a = start(self, "held-once");

    close(TO_MAIN);
    expect_byte(from_children, 'k');
    expect_killed(a, SIGKILL);
    expect_equal(raw(SYS_write, to_children, "m", 1), 1, "write to C");
    expect_byte(from_children, 'b');
    expect_equal(raw(SYS_read, from_children, &a, 1), 0, "end of file once C has gone");
    say("the child outlived its killed parent, and ended");
    return 0;
}

static int storm(char *self, int count, int from_children)
{
    char byte;

    for (int i = 0; i < count; i++) {
        pid_t a = start(self, "held-often");

        expect_byte(from_children, 's');
        linger(i * 37 % 500);
        expect(!kill(a, SIGKILL), "kill");
        expect_killed(a, SIGKILL);
    }
    close(TO_MAIN);
    expect_equal(raw(SYS_read, from_children, &byte, 1), 0, "end of file once the last child has gone");
    say("%d parents killed amid their vforks, no child lost", count);
    return 0;
}

int main(int argc, char **argv)
{
    int from_children, to_children;

    if (argc > 1 && same_text(argv[1], "held-once"))
        return held_once();
    if (argc > 1 && same_text(argv[1], "held-often"))
        return held_often();
    make_pipes(&from_children, &to_children);
    if (argc > 1 && same_text(argv[1], "storm"))
        return storm(argv[0], argc > 2 ? (int)to_number(argv[2]) : 100, from_children);
    return one(argv[0], from_children, to_children);
}
