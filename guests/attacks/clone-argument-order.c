/* clone's flags are its first argument on x86-64, and others elsewhere: a check that looks at another register sees
 * the one accepted value there. Natively a child in a new user namespace is made (where those are allowed). Here the
 * rule is on the first.
 * class: 12
 * contained: errno
 * ways: 2
 * build: musl */
#include "lib/tasks.h"

enum { ACCEPTED = 0x4111 };

int main(int argc, char **argv)
{
    long pid;

    attack_start(argc, argv);
    pid = raw(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED);
    if (pid == 0)
        leave(0);
    if (pid > 0)
        wait_for(pid);
    if (natively && pid < 0)
        cannot("no user namespaces here: errno %ld", -pid);
    unless_refused(pid, "clone(CLONE_NEWUSER), the accepted flags in the other arguments");
    pid = raw(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED);
    if (pid == 0)
        leave(0);
    judge(pid, "clone(CLONE_UNTRACED), the accepted flags in the other arguments");
}
