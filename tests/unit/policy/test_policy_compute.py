"""The shipped policy `compute`, call by call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from sandbox.outcome import Kill, Refuse
from sandbox.policy.load import load
from sandbox.policy.model import Limits, Policy
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, Call

Ask = Callable[..., str]
POLICY = load("compute")
PTR = 0x7FFF_0000_1000
JUNK = 0xBAD_0000_0000
AT_FDCWD = -100


@pytest.fixture
def ask(decision_of: Callable[..., str]) -> Ask:
    return partial(decision_of, POLICY)


def words(text: str) -> set[str]:
    return set(text.split())


# The whole of what can run. `default` must not add to it: whoever opens that file does not think of this one.
ALLOWED = words(
    """
        access alarm arch_prctl brk clock_getres clock_gettime clock_nanosleep close close_range dup dup2 dup3
        exit exit_group faccessat faccessat2 fadvise64 fcntl fstat fstatfs futex futex_requeue futex_wait
        futex_waitv futex_wake get_robust_list getcpu getcwd getdents getdents64 getegid geteuid getgid
        getgroups getitimer getpgrp getpid getppid getrandom getrlimit getrusage gettid gettimeofday getuid
        ioctl kill lseek lstat madvise map_shadow_stack membarrier mincore mmap mprotect mremap mseal msync
        munmap nanosleep newfstatat open openat pause pkey_alloc pkey_free pkey_mprotect poll ppoll prctl
        pread64 preadv preadv2 prlimit64 pselect6 pwrite64 pwritev pwritev2 read readahead readlink
        readlinkat readv remap_file_pages restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask
        rt_sigreturn rt_sigsuspend rt_sigtimedwait sched_getaffinity sched_yield select set_robust_list
        set_tid_address setitimer sigaltstack signalfd signalfd4 stat statfs statx sysinfo tgkill time times
        tkill uname write writev
    """
)
# Arguments that pass the rules of some call: nothing but zeros, all ones, and values that name something.
ARCH_SET_FS = 0x1002
ARGUMENTS = [
    (ARCH_SET_FS, PTR, 0, 0, 0, 0),
    (0,) * 6,
    (1,) * 6,
    (MASK64,) * 6,
    (0, PTR, PTR, 0, 0, 0),
    (1, 1, 0, PTR, 0, 0),
    (2, 2, 2, 2, 2, 2),
]


def test_nothing_else_can_run(runnable: Callable[[Policy], set[str]]) -> None:
    assert runnable(POLICY) == ALLOWED


def test_all_of_it_does_run() -> None:
    runs = {
        table.name(nr)
        for nr in range(1024)
        for args in ARGUMENTS
        if not isinstance(POLICY.decide(Call(nr, args)), Refuse | Kill)
    }
    assert runs == ALLOWED


WRITING = words(
    """
        creat ftruncate link linkat mkdir mkdirat rename renameat renameat2 rmdir symlink symlinkat
        truncate unlink unlinkat
    """
)
METADATA = words(
    """
        chmod chown fchmod fchmodat fchmodat2 fchown fchownat file_setattr fremovexattr fsetxattr futimesat
        lchown lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat utime utimensat utimes
    """
)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (WRITING, "ENOSYS unlisted"),
        (METADATA, "EPERM metadata"),
        ({"mknod", "mknodat"}, "EPERM nodes"),
        ({"openat2"}, "ENOSYS openat2"),
    ],
)
@pytest.mark.parametrize("args", ARGUMENTS)
def test_no_file_is_changed(ask: Ask, names: set[str], expected: str, args: tuple[int, ...]) -> None:
    assert {name: ask(name, *args) for name in names} == dict.fromkeys(names, expected)


@pytest.mark.parametrize(("mode", "answer"), [(0, "ENOSYS unlisted"), (1, "EOPNOTSUPP fallocate-mode")])
def test_no_file_is_given_room(ask: Ask, mode: int, answer: str) -> None:
    assert ask("fallocate", 1, mode, 0, 1) == answer


@pytest.mark.parametrize("args", [(), (0x4111, PTR), (0x11,), (0x3D0F00, PTR), (MASK64,) * 6])
def test_one_process_and_one_program(ask: Ask, args: tuple[int, ...]) -> None:
    assert {ask(name, *args) for name in ("clone", "fork", "vfork")} == {"ENOSYS one-process"}
    assert ask("clone3", *args) == "ENOSYS clone3"
    assert {ask(name, *args) for name in ("execve", "execveat")} == {"EACCES one-program"}


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (0, "allow"),
        (0x80000, "allow"),
        (0x10800, "allow"),
        (1, "EROFS open-for-reading"),
        (2, "EROFS open-for-reading"),
        (3, "EROFS open-for-reading"),
        (0x40, "EROFS open-for-reading"),
        (0x200, "EROFS open-for-reading"),
        (0x241 | JUNK, "EROFS open-for-reading"),
        (0x410002, "EROFS open-for-reading"),
    ],
)
def test_files_are_for_reading(ask: Ask, flags: int, expected: str) -> None:
    assert ask("openat", AT_FDCWD, PTR, flags, 0o644) == expected
    assert ask("open", PTR, flags, 0o644) == expected


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("chdir", (PTR,), "ENOSYS unlisted"),
        ("memfd_create", (PTR, 0), "ENOSYS unlisted"),
        ("pipe2", (PTR, 0), "ENOSYS unlisted"),
        ("wait4", (-1,), "ENOSYS unlisted"),
        ("setuid", (0,), "ENOSYS unlisted"),
        ("socket", (1, 1, 0), "(quiet) EACCES name-cache"),
        ("socket", (2, 1, 0), "EACCES no-network"),
        ("socketpair", (1, 1, 0, PTR), "EACCES no-socketpair"),
        ("epoll_create1", (0x80000,), "(quiet) ENOSYS calls.refuse"),
        ("ioctl", (1, 0x5401, PTR), "allow"),
        ("ioctl", (1, 0x40086602, PTR), "ENOTTY ioctl-request"),
        ("prctl", (22, 2, PTR), "EINVAL prctl-option"),
        ("ptrace", (0,), "EPERM other-processes"),
        ("mount", (PTR,), "EPERM privileged"),
        ("prlimit64", (0, 3, 0, PTR), "allow"),
        ("prlimit64", (0, 7, 0, PTR), "allow"),
        ("prlimit64", (0, 3, PTR, 0), "allow"),
        ("prlimit64", (0, 1, PTR, 0), "EPERM stack-limit-only"),
        ("prlimit64", (0, 7, PTR, PTR), "EPERM stack-limit-only"),
        ("prlimit64", (1, 3, PTR, 0), "EPERM own-limits"),
        ("prlimit64", (1, 3, 0, PTR), "EPERM own-limits"),
        ("setrlimit", (3, PTR), "ENOSYS unlisted"),
    ],
)
def test_arguments_decide(ask: Ask, name: str, args: tuple[int, ...], expected: str) -> None:
    assert ask(name, *args) == expected


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        ("one-program", "the program wants to start another one"),
        ("one-process", "the program wants a second process or a thread"),
        ("open-for-reading", "the program wants to write a file"),
    ],
)
def test_hints(rule: str, hint: str) -> None:
    assert POLICY.hint(rule) == hint


def test_the_run() -> None:
    assert (POLICY.process.max, POLICY.process.threads) == (1, False)
    assert POLICY.limits == Limits(
        wall=10.0, memory=512 << 20, output=64 << 20, file_size=64 << 20, open_files=64, audit_size=1 << 30
    )
    assert POLICY.environment.keep == ("LANG", "LANGUAGE", "LC_*", "PATH", "TZ")
    assert POLICY.environment.set == (("HOME", "/"),)
    assert not POLICY.waivers
