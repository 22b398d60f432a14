/* CPU time used up by children, of which each is below the limit of a process (RLIMIT_CPU counts each for itself):
 * eight, one after another, of half a second each. Natively they all come to their end. Here the limit is that of the
 * tree, those that have ended included.
 * class: 129
 * contained: errno limit
 * ways: 1
 * options: --cpu 1
 * build: musl */
#include "lib/burn.h"
#include "lib/ways.h"

enum { CHILDREN = 8 };

int main(int argc, char **argv)
{
    long pid = 0;
    int ended = 0;

    attack_start(argc, argv);
    if (same_text(stage(argc, argv), "burn")) {
        burn(0.5);
        leave(0);
    }
    attempt("three children, half a second each");
    for (int i = 0; i < (natively ? 3 : CHILDREN) && pid >= 0; i++) {
        pid = spawn_stage("burn");
        if (pid < 0)
            burn(0.5);
        else
            ended += exited_with(wait_for(pid), 0);
    }
    if (pid < 0)
        contained("no second task");
    answered(ended >= 3);
    ways_end("CPU time of children");
}
