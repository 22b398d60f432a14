/* PTRACE_TRACEME after the start, by the process itself and by a child: a supervisor that starts its guests with it
 * could be offered a second relation, or an exec that stops for a tracer who does not know. Natively a child may ask
 * its parent to trace it. Here ptrace is refused.
 * class: 87
 * contained: errno
 * ways: 2
 * build: musl */
#include <sys/ptrace.h>

#include "lib/ways.h"

static long ask(void *unused)
{
    (void)unused;
    return raw(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) == 0 ? GOT_THROUGH : 0;
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    not_natively("PTRACE_TRACEME", "its parent is the harness, which does not wait for stops");
    if (!natively)
        way(ask(NULL), "PTRACE_TRACEME");
    way(exited_with(wait_for(spawn_child(ask, NULL)), GOT_THROUGH), "PTRACE_TRACEME in a child");
    ways_end("asking to be traced");
}
