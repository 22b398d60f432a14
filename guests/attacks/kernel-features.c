/* System calls that reach far beyond a process: keys, BPF, performance events, modules, another kernel, ports,
 * segments, page faults handled by the program, namespaces, swap, clocks, quotas, the kernel log. Each is made with
 * arguments that do nothing; an answer about these (EINVAL, EFAULT, EBADF) says that the kernel was asked. Natively
 * some do something for anybody. Here each is refused.
 * class: 113
 * contained: errno
 * ways: 43
 * build: musl */
#include <linux/bpf.h>
#include <linux/perf_event.h>

#include "lib/ways.h"

enum { KEYRING_OF_USER = -4, KEYCTL_GET_ID = 0 };

static const struct {
    long nr;
    const char *name;
    long arguments[5];
} harmless[] = {
    {SYS_add_key, "add_key", {0, 0, 0, 0, -1}},
    {SYS_request_key, "request_key", {0, 0, 0, 0, 0}},
    {SYS_keyctl, "keyctl", {-1, 0, 0, 0, 0}},
    {SYS_bpf, "bpf", {-1, 0, 0, 0, 0}},
    {SYS_init_module, "init_module", {0, 0, 0, 0, 0}},
    {SYS_finit_module, "finit_module", {-1, 0, -1, 0, 0}},
    {SYS_delete_module, "delete_module", {0, 0, 0, 0, 0}},
    {SYS_kexec_load, "kexec_load", {0, -1, 0, -1, 0}},
    {SYS_kexec_file_load, "kexec_file_load", {-1, -1, 0, 0, -1}},
    {SYS_reboot, "reboot", {0, 0, 0, 0, 0}},
    {SYS_iopl, "iopl", {4, 0, 0, 0, 0}},
    {SYS_ioperm, "ioperm", {-1, -1, 1, 0, 0}},
    {SYS_modify_ldt, "modify_ldt", {1, 0, 1, 0, 0}},
    {SYS_userfaultfd, "userfaultfd", {-1, 0, 0, 0, 0}},
    {SYS_swapon, "swapon", {0, 0, 0, 0, 0}},
    {SYS_swapoff, "swapoff", {0, 0, 0, 0, 0}},
    {SYS_acct, "acct", {-1, 0, 0, 0, 0}},
    {SYS_syslog, "syslog", {-1, 0, 0, 0, 0}},
    {SYS_quotactl, "quotactl", {0, 0, 0, 0, 0}},
    {SYS_fanotify_init, "fanotify_init", {-1, 0, 0, 0, 0}},
    {SYS_setns, "setns", {-1, 0, 0, 0, 0}},
    {SYS_unshare, "unshare", {1, 0, 0, 0, 0}},
    {SYS_sethostname, "sethostname", {0, -1, 0, 0, 0}},
    {SYS_setdomainname, "setdomainname", {0, -1, 0, 0, 0}},
    {SYS_settimeofday, "settimeofday", {-1, 0, 0, 0, 0}},
    {SYS_clock_settime, "clock_settime", {-1, 0, 0, 0, 0}},
    {SYS_adjtimex, "adjtimex", {0, 0, 0, 0, 0}},
    {SYS_mount, "mount", {0, 0, 0, 0, 0}},
    {SYS_fsopen, "fsopen", {0, 0, 0, 0, 0}},
    {SYS_open_tree, "open_tree", {-1, 0, 1, 0, 0}},
    {SYS_move_mount, "move_mount", {-1, 0, -1, 0, -1}},
    {SYS_pivot_root, "pivot_root", {0, 0, 0, 0, 0}},
    {SYS_chroot, "chroot", {0, 0, 0, 0, 0}},
    {SYS_landlock_create_ruleset, "landlock_create_ruleset", {0, 0, -1, 0, 0}},
    {SYS_seccomp, "seccomp", {-1, 0, 0, 0, 0}},
    {SYS_capset, "capset", {0, 0, 0, 0, 0}},
    {SYS_memfd_secret, "memfd_secret", {-1, 0, 0, 0, 0}},
    {SYS_io_uring_setup, "io_uring_setup", {0, 0, 0, 0, 0}},
};

/* These do something, to this process only, where they are let. */
static void real_ones(void)
{
    struct perf_event_attr event = {
        .type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_TASK_CLOCK, .size = sizeof event, .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

    way(raw(SYS_keyctl, KEYCTL_GET_ID, KEYRING_OF_USER, 1) > 0, "a keyring of the user's");
    way(raw(SYS_add_key, "user", "sandbox-attack", "x", 1, -1 /* of this thread */) > 0, "a key");
    way(raw(SYS_perf_event_open, &event, 0, -1, -1, 0) >= 0, "a performance counter");
    way(raw(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map) >= 0, "a BPF map");
    way(raw(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */) >= 0, "a userfaultfd");
}

int main(int argc, char **argv)
{
    attack_start(argc, argv);
    real_ones();
    for (unsigned i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        const long *a = harmless[i].arguments;

        way(!is_refusal(raw(harmless[i].nr, a[0], a[1], a[2], a[3], a[4])), joined("asked, ", harmless[i].name));
    }
    ways_end("features of the kernel");
}
