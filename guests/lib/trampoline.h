/* A C library's clone routine, as seeds S1 describe it: `fn` and `arg` travel to the child on its own new stack. */
#ifndef GUEST_TRAMPOLINE_H
#define GUEST_TRAMPOLINE_H

/* The child's id, or -errno from the kernel. In the child fn(arg) runs on `child_stack` (aligned down to 16), and its
 * result is the exit status. Touches no errno and no thread-local storage. */
long guest_clone(long (*fn)(void *), void *arg, unsigned long flags, void *child_stack, int *ptid, void *newtls,
                 int *ctid);

#endif
