/* An io_uring opens and reads files, and makes and connects sockets, without any of those system calls: no filter or
 * tracer sees them. Natively the secret is opened and read by a ring. Here io_uring_setup is refused.
 * class: 112
 * contained: errno
 * ways: 2
 * build: musl */
#include <linux/io_uring.h>
#include <sys/mman.h>

#include "lib/files.h"

enum { ENTRIES = 4, RINGS = 65536 };

static struct io_uring_params facts;
static long ring;
static char *rings;
static struct io_uring_sqe *entries;

static unsigned *word(unsigned offset)
{
    return (unsigned *)(rings + offset);
}

/* One operation, waited for: its result. */
static long operate(struct io_uring_sqe entry)
{
    struct io_uring_cqe *results = (struct io_uring_cqe *)(rings + facts.cq_off.cqes);
    unsigned tail = *word(facts.sq_off.tail), slot = tail & *word(facts.sq_off.ring_mask), head;

    entries[slot] = entry;
    word(facts.sq_off.array)[slot] = slot;
    __atomic_store_n(word(facts.sq_off.tail), tail + 1, __ATOMIC_RELEASE);
    if (raw(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
        return -1;
    head = *word(facts.cq_off.head);
    __atomic_store_n(word(facts.cq_off.head), head + 1, __ATOMIC_RELEASE);
    return results[head & *word(facts.cq_off.ring_mask)].res;
}

static int has_ring(void)
{
    ring = raw(SYS_io_uring_setup, ENTRIES, &facts);
    if (ring < 0)
        return 0;
    rings = (char *)raw(SYS_mmap, 0, RINGS, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    entries = (void *)raw(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    return (long)rings > 0 && (long)entries > 0;
}

int main(int argc, char **argv)
{
    static char bytes[256];
    long fd;

    attack_start(argc, argv);
    attempt("a file opened by a ring");
    if (!has_ring())
        cannot("io_uring_setup: errno %ld (kernel.io_uring_disabled?)", -ring);
    fd = operate((struct io_uring_sqe){
        .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (unsigned long)secret(), .open_flags = O_RDONLY});
    way(fd >= 0, "a file opened by a ring");
    operate((struct io_uring_sqe){
        .opcode = IORING_OP_READ, .fd = (int)fd, .addr = (unsigned long)bytes, .len = sizeof bytes});
    way(holds(bytes, sizeof bytes, SECRET_MARK), "the secret read by a ring");
    ways_end("io_uring");
}
