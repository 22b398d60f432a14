/* Opens a path again and again that a thread of its own rewrites: one that may be read, and one that may not. Prints how
 * often it was refused. `NAME TRIES`.
 * Expected: exit 0 where threads are allowed, else 77.
 * build: musl */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "lib/expect.h"
#include "lib/raw.h"

static char path[] = "/etc/passwd";
static volatile int over;

/* "/etc/passwd" and "/etc/passwe": the one is there for all, and what is not named is nobody's to read; so the other is
 * "/etc/shadow", of as many letters. */
static void *rewrite(void *arg)
{
    static const char words[2][7] = {"passwd", "shadow"};

    for (int turn = 0; !over; turn++)
        for (int i = 0; i < 6; i++)
            ((volatile char *)path)[5 + i] = words[turn & 1][i];
    return arg;
}

int main(int argc, char **argv)
{
    long tries = argc > 1 ? (long)to_number(argv[1]) : 100, refused = 0;
    pthread_t thread;

    if (pthread_create(&thread, NULL, rewrite, NULL) != 0)
        cannot_be_tested("threads are refused");
    for (long i = 0; i < tries; i++) {
        long fd = raw(SYS_open, path, O_RDONLY);

        if (fd >= 0)
            raw(SYS_close, fd);
        refused += fd == -EACCES;
    }
    over = 1;
    pthread_join(thread, NULL);
    say("%ld", refused);
    return 0;
}
