/* CLONE_PARENT: the new child becomes our parent's, which is the supervisor: it would have to wait for it, and could be
 * handed a child with any exit signal. Natively the child is not ours. Here every policy refuses it outside threads.
 * class: 48
 * contained: errno
 * ways: 3
 * build: musl */
#include "lib/tasks.h"

int main(int argc, char **argv)
{
    long pid;

    attack_start(argc, argv);
    pid = raw(SYS_clone, CLONE_PARENT | SIGCHLD);
    if (pid == 0)
        leave(0);
    unless_refused(pid, "clone(CLONE_PARENT|SIGCHLD)");
    pid = raw(SYS_clone, CLONE_PARENT | SIGKILL);
    if (pid == 0)
        leave(0);
    unless_refused(pid, "clone(CLONE_PARENT|SIGKILL)");
    pid = raw(SYS_clone, CLONE_PARENT | CLONE_VM | CLONE_VFORK | SIGCHLD, 0);
    if (pid == 0)
        raw(SYS_exit, 0);
    judge(pid, "clone(CLONE_PARENT|0x4111)");
}
