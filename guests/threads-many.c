/* Many threads, up to 32 alive at a time, each seen to run at the same time as the others of its batch.
 *     threads-many [THREADS]
 * Expected: exit 0 natively and under workspace. Where threads are refused: 77.
 * build: musl glibc */
#include <errno.h>
#include <pthread.h>

#include "lib/expect.h"

enum { BATCH = 32 };

static pthread_barrier_t all_alive;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long total;

static void *work(void *arg)
{
    long tid = raw(SYS_gettid);

    expect(tid != raw(SYS_getpid), "a thread's id is not the process's");
    pthread_barrier_wait(&all_alive);
    pthread_mutex_lock(&lock);
    total++;
    pthread_mutex_unlock(&lock);
    expect_equal(raw(SYS_gettid), tid, "a thread's id stays");
    return (char *)arg + 1;
}

static void run_batch(int size)
{
    pthread_t threads[BATCH];
    void *result = NULL;

    pthread_barrier_init(&all_alive, NULL, (unsigned)size);
    for (int i = 0; i < size; i++) {
        int error = pthread_create(&threads[i], NULL, work, (void *)(long)i);

        if (error == ENOSYS || error == EAGAIN)
            cannot_be_tested("threads are refused");
        expect_equal(error, 0, "pthread_create");
    }
    for (long i = 0; i < size; i++) {
        expect_equal(pthread_join(threads[i], &result), 0, "pthread_join");
        expect_equal(result, i + 1, "a thread's result");
    }
    pthread_barrier_destroy(&all_alive);
}

int main(int argc, char **argv)
{
    long wanted = argc > 1 ? (long)to_number(argv[1]) : 200;

    for (long left = wanted; left > 0; left -= BATCH)
        run_batch(left < BATCH ? (int)left : BATCH);
    expect_equal(total, wanted, "threads that have run");
    say("%ld threads ran", total);
    return 0;
}
