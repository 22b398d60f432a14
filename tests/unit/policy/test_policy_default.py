"""The shipped policy `default`, call by call, and what holds for every shipped policy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from sandbox.outcome import Allow, Return
from sandbox.policy.load import find_shipped, load, shipped
from sandbox.policy.model import Limits, Policy, Process
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, Call

Ask = Callable[..., str]
POLICY = load("default")
JUNK = 0xBAD_0000_0000
PTR = 0x7FFF_0000_1000


def words(text: str) -> list[str]:
    return text.split()


@pytest.fixture
def ask(decision_of: Callable[..., str]) -> Ask:
    return partial(decision_of, POLICY)


# What glibc and musl programs call at their start and in common work, beyond what rules decide: seen with
# strace in ls, cat, sort, find, stat, gzip, xz, tar, awk, grep, perl, sqlite3, git status, openssl, python3.
COMMON = words(
    """
        access brk capget chdir clock_nanosleep close copy_file_range dup dup2 epoll_create1 epoll_ctl
        epoll_pwait epoll_wait eventfd2 execve exit exit_group faccessat2 fadvise64 fchdir fdatasync fstat
        fstatfs futex getcwd getdents64 getegid geteuid getgid getgroups getpeername getpgrp getpid getppid
        getrandom getsockname gettid getuid getxattr lgetxattr lseek madvise mmap mprotect munmap newfstatat
        pipe2 pkey_alloc poll pread64 pselect6 pwrite64 read readlink readlinkat rseq rt_sigaction
        rt_sigprocmask rt_sigreturn rt_sigsuspend sched_getaffinity set_mempolicy get_mempolicy
        set_robust_list set_tid_address setpgid sigaltstack stat statfs statx sysinfo timer_create
        timer_settime times umask uname wait4 write writev kill tgkill tkill membarrier
        clock_gettime getrusage alarm setitimer mremap mincore sched_yield sendfile splice
        close_range epoll_pwait2 futex_waitv mseal map_shadow_stack rt_sigqueueinfo rt_tgsigqueueinfo
        pidfd_open setgid setregid setresgid setresuid setreuid setuid
    """
)


# [files] decides where, in the kernel.
FILES = words(
    """
        creat ftruncate link linkat mkdir mkdirat open openat rename renameat renameat2 rmdir
        symlink symlinkat truncate unlink unlinkat
    """
)


SELDOM = words(
    """
        cachestat clock_getres dup3 epoll_create eventfd faccessat fgetxattr file_getattr flistxattr flock
        fsync futex_requeue futex_wait futex_wake get_robust_list getcpu getdents getitimer getpgid
        getpriority getresgid getresuid getrlimit getsid getsockopt gettimeofday getxattrat
 ioprio_get listxattr listxattrat llistxattr lstat mbind mlock
        mlock2 mlockall msync munlock munlockall nanosleep pause pipe pkey_free pkey_mprotect ppoll preadv
        preadv2 pwritev pwritev2 readahead readv recvfrom recvmmsg recvmsg remap_file_pages
        restart_syscall rt_sigpending rt_sigtimedwait sched_get_priority_max sched_get_priority_min
        sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval select sendmmsg sendmsg
        sendto set_mempolicy_home_node setsid setsockopt shutdown signalfd signalfd4 sync
        sync_file_range syncfs tee time timer_delete timer_getoverrun timer_gettime timerfd_create
        timerfd_gettime timerfd_settime vmsplice waitid
    """
)


# Rules look at the arguments of these.
JUDGED = words(
    """
        arch_prctl clone fallocate fcntl ioctl ioprio_set personality prctl prlimit64 sched_setaffinity
        sched_setattr sched_setparam sched_setscheduler setpriority setrlimit
        socketpair
    """
)


@pytest.mark.parametrize("name", [*COMMON, *FILES, *SELDOM])
def test_calls_allowed_by_number_alone(name: str) -> None:
    nr = table.number(name)
    assert nr is not None
    assert POLICY.calls[nr] == Allow("calls.allow")
    assert nr not in POLICY.rules


def test_nothing_else_can_run(runnable: Callable[[Policy], set[str]]) -> None:
    assert runnable(POLICY) == {*COMMON, *FILES, *JUDGED, *SELDOM}


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("arch_prctl", (0x1002, PTR)),
        ("arch_prctl", (0x1003, PTR)),
        ("arch_prctl", (0x3001, PTR)),
        ("arch_prctl", (0x5001, 1)),
        ("prlimit64", (0, 3, 0, PTR)),
        ("prlimit64", (JUNK, 7, PTR, 0)),
        ("ioctl", (1, 0x5401, PTR)),
        ("ioctl", (1, 0x5402, PTR)),
        ("ioctl", (1, 0x5413, PTR)),
        ("ioctl", (3, 0x5421, PTR)),
        ("ioctl", (3, 0x541B, PTR)),
        ("ioctl", (1, 0x802C542A, PTR)),
        ("fcntl", (1, 3)),
        ("fcntl", (1, 1030, 3)),
        ("fcntl", (1, 6, PTR)),
        ("fcntl", (1, 4, 0x800)),
        *(("fallocate", (3, mode, 0, 1)) for mode in (0, 0x3, 0x8, 0x10, JUNK)),
        ("prctl", (15, PTR)),
        ("prctl", (0x53564D41, 0, PTR, 4096, PTR)),
        ("prctl", (23, 40)),
        ("personality", (0xFFFF_FFFF,)),
        ("personality", (MASK64,)),
        ("personality", (0,)),
        ("socketpair", (1, 1, 0, PTR)),
        ("socketpair", (1, 0x80001, 0, PTR)),
        ("socketpair", (1, 5, 0, PTR)),
        ("sched_setaffinity", (0, 128, PTR)),
        ("setpriority", (0, 0, 10)),
        ("ioprio_set", (1, 0, 0)),
    ],
)
def test_allowed_by_arguments(ask: Ask, name: str, args: tuple[int, ...]) -> None:
    assert ask(name, *args) == "allow"


@pytest.mark.parametrize(
    ("flags", "stack", "answer"),
    [
        (0x4111, PTR, "allow"),
        (0x4111, 0, "EINVAL clone-stack"),
        (0x4100, PTR, "ENOSYS clone-flags"),
        (0x4101, PTR, "ENOSYS clone-flags"),
        (0x4110, PTR, "ENOSYS clone-flags"),
        (0x80_4111, PTR, "ENOSYS clone-flags"),
        (0x1_0000_4111, PTR, "ENOSYS clone-flags"),
        (0x3D0F00, PTR, "ENOSYS clone-flags"),
        (0x3D0F00, 0, "ENOSYS clone-flags"),
        (0x120_0011, 0, "ENOSYS clone-fork"),
        (0x11, 0, "ENOSYS clone-fork"),
        (0, 0, "ENOSYS clone-fork"),
        (0x4011, PTR, "ENOSYS clone-fork"),
        (MASK64, PTR, "ENOSYS clone-flags"),
    ],
)
def test_the_clone_rule(ask: Ask, flags: int, stack: int, answer: str) -> None:
    assert ask("clone", flags, stack) == answer


@pytest.mark.parametrize(
    ("name", "answer"), [("fork", "ENOSYS fork"), ("vfork", "ENOSYS fork"), ("clone3", "ENOSYS clone3")]
)
def test_the_other_ways_to_make_processes(ask: Ask, name: str, answer: str) -> None:
    assert ask(name, PTR, 88) == answer


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        ("clone-flags", "the program wants threads; see -p workspace"),
        ("clone-fork", "the program wants to fork; see -p workspace"),
        ("fork", "the program wants to fork; see -p workspace"),
        ("metadata", "the program wants to change a file's mode, owner, times or attributes"),
    ],
)
def test_hints(rule: str, hint: str) -> None:
    assert POLICY.hint(rule) == hint


METADATA = words(
    """
        chmod chown fchmod fchmodat fchmodat2 fchown fchownat file_setattr fremovexattr fsetxattr futimesat
        lchown lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat utime utimensat utimes
    """
)
NO_MORE = words(
    """
        acct adjtimex bpf capset chroot clock_adjtime clock_settime delete_module fanotify_init finit_module
        init_module ioperm iopl kexec_file_load kexec_load modify_ldt mount open_by_handle_at pivot_root
        quotactl reboot setdomainname setfsgid setfsuid setgroups sethostname setns settimeofday swapoff
        swapon syslog umount2 unshare vhangup
    """
)
OTHERS = words("kcmp perf_event_open pidfd_getfd process_vm_readv process_vm_writev ptrace")
FEATURES = words(
    """
        add_key execveat io_uring_enter io_uring_register io_uring_setup keyctl landlock_add_rule
        landlock_create_ruleset landlock_restrict_self process_madvise request_key seccomp userfaultfd
    """
)
SOCKETS = words("connect bind listen accept accept4")
UNLISTED = words(
    """
        fsopen open_tree move_mount io_setup io_submit shmget msgget semget mq_open
        name_to_handle_at migrate_pages move_pages memfd_secret statmount lsm_list_modules uselib _sysctl
    """
)


@pytest.mark.parametrize(
    ("names", "answer"),
    [
        (METADATA, "EPERM metadata"),
        (["mknod", "mknodat"], "EPERM nodes"),
        (NO_MORE, "EPERM privileged"),
        (OTHERS, "EPERM other-processes"),
        (FEATURES, "ENOSYS kernel-features"),
        (SOCKETS, "EACCES no-network"),
        (["openat2"], "ENOSYS openat2"),
        (["pidfd_send_signal"], "ENOSYS pidfd-signal"),
        (UNLISTED, "ENOSYS unlisted"),
    ],
)
@pytest.mark.parametrize("args", [(), (1, 2, 3, 4, 5, 6), (MASK64,) * 6])
def test_refused_whatever_the_arguments(
    ask: Ask, names: list[str], answer: str, args: tuple[int, ...]
) -> None:
    assert {name: ask(name, *args) for name in names} == dict.fromkeys(names, answer)


@pytest.mark.parametrize(
    ("name", "args", "answer"),
    [
        ("ioctl", (0, 0x5412, PTR), "EPERM terminal-input"),
        ("ioctl", (0, 0x5412 | JUNK, PTR), "EPERM terminal-input"),
        ("ioctl", (0, 0x541C, PTR), "EPERM terminal-input"),
        ("ioctl", (0, 0x5423, PTR), "ENOTTY ioctl-request"),
        ("ioctl", (0, 0x8901, PTR), "ENOTTY ioctl-request"),
        ("ioctl", (0, 0x40086602, PTR), "ENOTTY ioctl-request"),
        ("ioctl", (0, MASK64, PTR), "ENOTTY ioctl-request"),
        ("fcntl", (0, 8, 1), "EPERM fcntl-owner"),
        ("fcntl", (0, 15, PTR), "EPERM fcntl-owner"),
        ("fcntl", (0, 10 | JUNK, 9), "EPERM fcntl-owner"),
        *(
            ("fallocate", (3, mode, 0, 1), "EOPNOTSUPP fallocate-mode")
            for mode in (1, 0x11, 0x20, 0x40, 0x80)
        ),
        ("fallocate", (3, JUNK | 1, 0, 1), "EOPNOTSUPP fallocate-mode"),
        ("fcntl", (0, 1024, 0), "EINVAL fcntl-lease"),
        ("fcntl", (0, 1026, 1), "EINVAL fcntl-lease"),
        ("socket", (2, 1, 0), "EACCES no-network"),
        ("socket", (16, 3, 0), "EACCES no-network"),
        ("socket", (MASK64, 1, 0), "EACCES no-network"),
        ("socket", (1 | JUNK, 1, 0), "EACCES local-socket"),
        ("socketpair", (2, 1, 0, PTR), "EACCES socketpair-family"),
        ("socketpair", (1, 2, 0, PTR), "EACCES socketpair-type"),
        ("socketpair", (1, 3, 0, PTR), "EACCES socketpair-type"),
        ("socketpair", (1, 0x80802, 0, PTR), "EACCES socketpair-type"),
        ("prlimit64", (1, 7, PTR, 0), "EPERM own-limits"),
        ("prlimit64", (-1, 7, PTR, 0), "EPERM own-limits"),
        ("prlimit64", (1, 4, PTR, 0), "EPERM own-limits"),
        ("setrlimit", (4, PTR), "EINVAL core-limit-old-call"),
        ("sched_setaffinity", (1, 8, PTR), "EPERM own-limits"),
        ("sched_setscheduler", (1, 0, PTR), "EPERM own-limits"),
        ("setpriority", (0, 1, 19), "EPERM own-priority"),
        ("setpriority", (2, 0, 19), "EPERM own-priority"),
        ("ioprio_set", (1, 1, 0), "EPERM own-io-priority"),
        ("ioprio_set", (3, 0, 0), "EPERM own-io-priority"),
        ("prctl", (22, 2, PTR), "EINVAL prctl-option"),
        ("prctl", (22 | JUNK, 2, PTR), "EINVAL prctl-option"),
        ("prctl", (4, 0), "EINVAL prctl-option"),
        ("prctl", (59, 1), "EINVAL prctl-option"),
        ("prctl", (0x59616D61, 1), "EINVAL prctl-option"),
        ("prctl", (35, 1), "EINVAL prctl-option"),
        ("arch_prctl", (0x1012, 0), "EINVAL arch-prctl-code"),
        ("arch_prctl", (0x2003, 0), "EINVAL arch-prctl-code"),
        ("personality", (0x40000,), "EPERM personality"),
        ("personality", (0x400000,), "EPERM personality"),
        ("personality", (8,), "EPERM personality"),
    ],
)
def test_refused_by_arguments(ask: Ask, name: str, args: tuple[int, ...], answer: str) -> None:
    assert ask(name, *args) == answer


@pytest.mark.parametrize("resource", [4, 4 | JUNK])
def test_core_dumps_stay_off(resource: int) -> None:
    nr = table.NUMBERS["prlimit64"]
    told = Return(0, "core-limit", recorded=False)
    assert POLICY.decide(Call(nr, (0, resource, PTR, 0, 0, 0))) == told
    assert POLICY.decide(Call(nr, (0, resource, PTR, PTR, 0, 0))) == told
    assert POLICY.decide(Call(nr, (0, resource, 0, PTR, 0, 0))) == Allow("calls.allow")


def test_a_number_without_a_name_is_unlisted(ask: Ask) -> None:
    assert {ask(nr) for nr in (335, 400, 512, 547, 4096)} == {"ENOSYS unlisted"}


def test_the_run() -> None:
    assert POLICY.process == Process("emulate", 64, threads=False, vdso=True)
    assert POLICY.limits == Limits(open_files=256, audit_size=1 << 30)
    assert POLICY.environment.keep == (
        *("COLUMNS", "LANG", "LANGUAGE", "LC_*", "LINES", "PATH", "TERM", "TZ"),
    )
    assert POLICY.environment.set == (("HOME", "${scratch}"),)
    assert not POLICY.waivers


def test_what_is_shipped() -> None:
    assert list(shipped()) == ["compute", "default", "observe", "ostoo", "workspace"]


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_policy_says_for_whom_it_is(name: str) -> None:
    policy = load(name)
    assert policy.name == name
    assert policy.description
    text = Path(find_shipped(name)).read_text("utf-8")
    head = text[: text.index("schema")]
    assert head.startswith(f"# {name}: ")
    assert "# For whom: " in head
    assert "# How to read it: " in head


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_policy_fits_a_window(name: str) -> None:
    lines = Path(find_shipped(name)).read_text("utf-8").splitlines()
    assert not [nth for nth, line in enumerate(lines, 1) if len(line) > 120]
    assert not [nth for nth, line in enumerate(lines, 1) if line != line.rstrip() or "\t" in line]
