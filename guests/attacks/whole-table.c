/* Every call that no policy allows, one after the other: a long filter whose jumps went wrong, or a table with a hole,
 * would let one of them reach the kernel. Only arguments that do nothing; the kernel's own errors for those (EBADF,
 * EFAULT, EINVAL, ESRCH) betray that it was asked. Natively this is how the kernel answers. Here the filter does.
 * class: 13
 * contained: errno
 * ways: 1
 * build: musl */
#include "lib/tasks.h"

static const short refused[] = {
    101 /* ptrace */, 103 /* syslog */, 134 /* uselib */, 139 /* sysfs */, 153 /* vhangup */, 154 /* modify_ldt */,
    155 /* pivot_root */, 156 /* _sysctl */, 159 /* adjtimex */, 161 /* chroot */, 163 /* acct */,
    164 /* settimeofday */, 165 /* mount */, 166 /* umount2 */, 167 /* swapon */, 168 /* swapoff */, 169 /* reboot */,
    170 /* sethostname */, 171 /* setdomainname */, 172 /* iopl */, 173 /* ioperm */, 175 /* init_module */,
    176 /* delete_module */, 179 /* quotactl */, 180 /* nfsservctl */, 212 /* lookup_dcookie */, 227 /* clock_settime */,
    246 /* kexec_load */, 248 /* add_key */, 249 /* request_key */, 250 /* keyctl */, 256 /* migrate_pages */,
    272 /* unshare */, 279 /* move_pages */, 298 /* perf_event_open */, 300 /* fanotify_init */,
    301 /* fanotify_mark */, 303 /* name_to_handle_at */, 304 /* open_by_handle_at */, 305 /* clock_adjtime */,
    308 /* setns */, 310 /* process_vm_readv */, 311 /* process_vm_writev */, 312 /* kcmp */, 313 /* finit_module */,
    317 /* seccomp */, 320 /* kexec_file_load */, 321 /* bpf */, 323 /* userfaultfd */, 424 /* pidfd_send_signal */,
    425 /* io_uring_setup */, 426 /* io_uring_enter */, 427 /* io_uring_register */, 428 /* open_tree */,
    429 /* move_mount */, 430 /* fsopen */, 431 /* fsconfig */, 432 /* fsmount */, 433 /* fspick */, 435 /* clone3 */,
    437 /* openat2 */, 438 /* pidfd_getfd */, 440 /* process_madvise */, 442 /* mount_setattr */, 443 /* quotactl_fd */,
    444 /* landlock_create_ruleset */, 445 /* landlock_add_rule */, 446 /* landlock_restrict_self */,
    447 /* memfd_secret */, 448 /* process_mrelease */, 457 /* statmount */, 458 /* listmount */,
    459 /* lsm_get_self_attr */, 460 /* lsm_set_self_attr */, 467 /* open_tree_attr */,
};

/* What policies answer (their errnos for calls nobody may make). */
static int is_policy_answer(long result) { return result == -ENOSYS || result == -EPERM || result == -EACCES; }

int main(int argc, char **argv)
{
    int reached = 0;

    attack_start(argc, argv);
    attempt("calls that no policy allows");
    for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++) {
        long result = raw(refused[i], -1, -1, -1, -1, -1, -1);

        if (is_policy_answer(result))
            continue;
        if (!natively)
            escaped("number %d reached the kernel: answered %ld", refused[i], result);
        reached++;
    }
    if (reached)
        works("%d calls were answered by the kernel", reached);
    contained("none of %d calls reached the kernel", (int)(sizeof refused / sizeof *refused));
}
