/* x32 calls: the number with bit 30 set, under the same AUDIT_ARCH as x86-64. A filter that compares numbers and
 * refuses some lets 0x40000000 + number pass. Natively it is answered by kernels built with x32 only. Here the filter
 * kills whatever has that bit.
 * class: 5
 * contained: killed
 * ways: 1
 * build: musl */
#include "lib/attack.h"

enum { X32 = 0x40000000 };

int main(int argc, char **argv)
{
    long result;

    attack_start(argc, argv);
    attempt("unshare as an x32 call");
    result = raw(X32 | SYS_unshare, 0);
    if (result == -ENOSYS && natively)
        cannot("this kernel has no x32 calls");
    judge(result, "unshare as an x32 call");
}
