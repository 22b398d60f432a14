/* What a supervisor opens to look at a program before it runs: a file is executed that a second task exchanges with a
 * FIFO all the while, and bytes lie in that FIFO. Who looks at a file by its name and then opens it by its name opens the
 * FIFO and takes them. Natively none is taken, and none may be here; nor does an execve of a device or of the kernel's
 * log open it.
 * class: 122
 * contained: errno
 * ways: 2
 * build: musl */
#include <sys/ioctl.h>

#include "lib/files.h"

enum { EXCHANGE = 2, EXECS = 2000, BYTES = 64 };

static char text[PATH_SIZE], fifo[PATH_SIZE];

static void exchange_for_ever(void)
{
    for (;;)
        raw(SYS_renameat2, AT_FDCWD, text, AT_FDCWD, fifo, EXCHANGE);
}

static long bytes_in(long fd)
{
    int count = 0;

    return raw(SYS_ioctl, fd, FIONREAD, &count) < 0 ? -1 : count;
}

static void exec_all_the_while(void)
{
    char *argv[] = {text, NULL};

    for (int i = 0; i < EXECS; i++)
        raw(SYS_execve, text, argv, environ);
}

static void exec_devices(void)
{
    char *argv[] = {text, NULL};

    raw(SYS_execve, "/proc/kmsg", argv, environ);
    raw(SYS_execve, "/dev/tty", argv, environ);
}

int main(int argc, char **argv)
{
    long fd, made, child;

    attack_start(argc, argv);
    attempt("devices as programs");
    exec_devices();
    answered(0);
    attempt("a FIFO in the place of a program");
    in_work(text, "exec-look-text");
    in_work(fifo, "exec-look-fifo");
    made = open_path(text, O_WRONLY | O_CREAT);
    raw(SYS_write, made, "text\n", 5);
    raw(SYS_close, made);
    if (made < 0 || raw(SYS_chmod, text, 0700) < 0 || raw(SYS_mknod, fifo, S_IFIFO | 0700, 0) < 0)
        contained("no program and no FIFO can be made");
    fd = open_path(fifo, O_RDWR | O_NONBLOCK);
    for (int i = 0; i < BYTES; i++)
        raw(SYS_write, fd, "x", 1);
    if (bytes_in(fd) != BYTES)
        contained("what is in the FIFO cannot be seen");
    child = fork_or_contained();
    if (child == 0)
        exchange_for_ever();
    exec_all_the_while();
    raw(SYS_kill, child, SIGKILL);
    wait_for(child);
    made = bytes_in(fd);
    raw(SYS_unlink, text);
    raw(SYS_unlink, fifo);
    if (made != BYTES)
        escaped("%ld of %d bytes are left in a FIFO that was executed", made, BYTES);
    same("%d execs of an exchanged FIFO opened nothing", EXECS);
}
