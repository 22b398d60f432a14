/* Seeds S2: threads in assembly, without a C library. Errors are -errno. */
#ifndef GUEST_LINEN_H
#define GUEST_LINEN_H

/* A handle is the top dword pair of a thread's stack: the thread's id while it runs (0 once it has ended), and above
 * it the canary that tells a handle from any other address. */
struct linen_thread {
    volatile int tid;
    unsigned canary;
};

enum { LINEN_GUARD = 4096, LINEN_STACK = 2 * 1024 * 1024 + LINEN_GUARD };
#define LINEN_CANARY 0xdeadbeefU

/* 0, or -EINVAL where handle or fn is NULL, or the kernel's refusal: then nothing is left behind and *handle is as it
 * was. fn(arg) runs with the creator's thread-local storage: it must not use the C library. */
long linen_thread_create(struct linen_thread **handle, void *(*fn)(void *), void *arg);

/* Waits for the thread, stores fn's result in *result unless that is NULL, and gives the stack back. 0, or -EINVAL for
 * something that is not a handle. */
long linen_thread_join(struct linen_thread *handle, void **result);

#endif
