/* Memory of a process whose first thread has ended: /proc tells of such a process by that thread, which holds nothing
 * any more, while another touches a gigabyte. Natively it has it. Here the limit on memory ends the run, or there are
 * no threads.
 * class: 128
 * contained: errno limit
 * ways: 1
 * options: --memory 128MiB
 * build: musl */
#include <pthread.h>
#include <sys/mman.h>

#include "lib/ways.h"

enum { PAGE = 4096, SIZE = 1 << 30 };

static void *touch(void *first)
{
    char *at;

    pthread_join(*(pthread_t *)first, NULL);
    at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (long i = 0; at != MAP_FAILED && i < SIZE; i += PAGE)
        ((volatile char *)at)[i] = 1;
    answered(at != MAP_FAILED);
    ways_end("memory");
}

int main(int argc, char **argv)
{
    static pthread_t first;
    pthread_t second;

    attack_start(argc, argv);
    attempt("a gigabyte by a thread that is left alone");
    first = pthread_self();
    if (pthread_create(&second, NULL, touch, &first))
        contained("no thread");
    pthread_exit(NULL);
}
