/* Executes a file that a thread of its own exchanges with a FIFO all the while (renameat2). `NAME TRIES`, in a directory
 * with a file `text`, no program, and a FIFO `fifo`.
 * Expected: exit 0 where threads are allowed, else 77; every execve fails.
 * build: musl */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "lib/expect.h"
#include "lib/raw.h"

enum { EXCHANGE = 2 };

static volatile int over;

static void *exchange(void *arg)
{
    while (!over)
        raw(SYS_renameat2, AT_FDCWD, "text", AT_FDCWD, "fifo", EXCHANGE);
    return arg;
}

int main(int argc, char **argv)
{
    long tries = argc > 1 ? (long)to_number(argv[1]) : 100;
    pthread_t thread;

    if (pthread_create(&thread, NULL, exchange, NULL) != 0)
        cannot_be_tested("threads are refused");
    for (long i = 0; i < tries; i++)
        expect(raw(SYS_execve, "text", NULL, NULL) < 0, "execve fails");
    over = 1;
    pthread_join(thread, NULL);
    return 0;
}
