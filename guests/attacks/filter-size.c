/* The longest filter the kernel takes (4096 instructions), again and again: each call then costs a walk of all of them,
 * and memory of the kernel's. Natively it is installed. Here no policy lets a guest install one.
 * class: 43
 * contained: errno
 * ways: 2
 * build: musl */
#include "lib/filters.h"

int main(int argc, char **argv)
{
    static struct sock_filter code[BPF_MAXINSNS];

    attack_start(argc, argv);
    for (int i = 0; i < BPF_MAXINSNS; i++)
        code[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
    code[BPF_MAXINSNS - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    for (int i = 0; i < 4; i++) {
        unless_refused(install(code, BPF_MAXINSNS, 0), "seccomp with 4096 instructions");
        unless_refused(install_by_prctl(code, BPF_MAXINSNS), "prctl with 4096 instructions");
    }
    contained("no filter of the guest's own");
}
