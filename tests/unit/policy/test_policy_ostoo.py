"""The shipped policy `ostoo` against the table of the kernel it is named for, call by call."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from sandbox.outcome import Allow, Decision, Emulate, Kill, Refuse, Return, Rewrite
from sandbox.policy.load import load
from sandbox.policy.model import Limits
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, Call
from sandbox.syscalls.errnos import errno_name

POLICY = load("ostoo")
JUNK = 0xBAD_0000_0000


def ask(name: str, *args: int) -> str:
    """The decision on a call in one line; `quiet` where the filter answers alone."""
    nr = table.number(name)
    assert nr is not None
    a, b, c, d, e, f = (*(arg & MASK64 for arg in args), *(0,) * (6 - len(args)))
    return show(POLICY.decide(Call(nr, (a, b, c, d, e, f))))


def show(decision: Decision) -> str:
    match decision:
        case Allow(rule, _):
            return f"allow {rule}"
        case Refuse(errno, rule, recorded):
            return f"{errno_name(errno)} {rule}" + ("" if recorded else " quiet")
        case Return(value, rule, _, recorded):
            return f"{value} {rule}" + ("" if recorded else " quiet")
        case Rewrite(args, rule):
            return f"{dict(args)} {rule}"
        case Kill(rule):
            return f"kill {rule}"
        case Emulate(name, rule):
            return f"{name} {rule}"


ORDINARY = [
    *("read", "write", "close", "writev", "mprotect", "munmap", "brk", "pipe", "dup2", "getpid", "exit"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "exit_group", "getcwd", "chdir"),
]


@pytest.mark.parametrize("name", ORDINARY)
@pytest.mark.parametrize("args", [(), (MASK64,) * 6])
def test_ordinary_calls_run(name: str, args: tuple[int, ...]) -> None:
    assert ask(name, *args) == "allow calls.allow"


@pytest.mark.parametrize("args", [(), (1, 2, 3, 4, 5, 6), (MASK64,) * 6])
@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("ioctl", "ENOTTY calls.refuse quiet"),
        ("lseek", "ESPIPE calls.refuse quiet"),
        ("madvise", "0 calls.return quiet"),
        ("sigaltstack", "0 calls.return quiet"),
        ("futex", "0 calls.return quiet"),
        ("set_robust_list", "0 calls.return quiet"),
        ("fstat", "char-device-stat fstat-device"),
        ("execve", "elf-exec exec-elf"),
        ("sched_getaffinity", "one-cpu affinity-one-cpu"),
        ("getdents64", "directory-only getdents-directory"),
        ("set_tid_address", "own-pid tid-is-pid"),
        ("clock_gettime", "zero-clock clock-zero"),
    ],
)
def test_stubs_whatever_the_arguments(name: str, answer: str, args: tuple[int, ...]) -> None:
    assert ask(name, *args) == answer


SPAWN = 0x4111
STACK = 0x7FFF_0000_1000


@pytest.mark.parametrize("stack", [0, STACK, MASK64])
@pytest.mark.parametrize(
    "flags",
    [
        0x4100,
        0x4101,
        0x4110,
        SPAWN | 0x80_0000,
        0x1_0000_4111,
        0x3D0F00,
        0x120_0011,
        0,
        MASK64,
        0x4112,
        0x111,
        0x11,
        0x5111,
        SPAWN | 1 << 63,
        SPAWN | 0x2000,
        SPAWN | 0x8000,
        0x1_4111,
    ],
)
def test_every_other_clone_flags_is_enosys_whatever_the_stack(flags: int, stack: int) -> None:
    assert ask("clone", flags, stack) == "ENOSYS clone-flags"


@pytest.mark.parametrize(
    ("stack", "answer"),
    [
        (0, "EINVAL clone-stack"),
        (1, "allow clone-spawn"),
        (STACK, "allow clone-spawn"),
        (1 << 32, "allow clone-spawn"),
    ],
)
def test_the_spawning_clone_needs_a_stack(stack: int, answer: str) -> None:
    assert ask("clone", SPAWN, stack, 1, 2, 3) == answer


ONLY_PRIVATE, BAD_MAP = "allow calls.allow", "EINVAL mmap-private"


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        (0x22, ONLY_PRIVATE),
        (0x02, ONLY_PRIVATE),
        (0x20022, ONLY_PRIVATE),
        (0x32, ONLY_PRIVATE),
        (0x21, BAD_MAP),
        (0x01, BAD_MAP),
        (0x03, BAD_MAP),
        (0x23, BAD_MAP),
        (0x20, BAD_MAP),
        (0x28, BAD_MAP),
        (0, BAD_MAP),
        (MASK64, BAD_MAP),
    ],
)
def test_mmap_is_private(flags: int, answer: str) -> None:
    assert ask("mmap", 0, 4096, 3, flags, -1) == answer


O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_LARGEFILE = 0x80000, 0x10000, 0x20000, 0x800, 0x8000


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        (0, "allow calls.allow"),
        (O_CLOEXEC | O_LARGEFILE, "allow calls.allow"),
        (O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | 0x100, "allow calls.allow"),
        (O_CLOEXEC | JUNK, "allow calls.allow"),
        (1, "{1: 0} open-read-only"),
        (2, "{1: 0} open-read-only"),
        (0x241, "{1: 0} open-read-only"),
        (0x242 | O_CLOEXEC, f"{{1: {O_CLOEXEC}}} open-read-only"),
        (0x400 | O_LARGEFILE, f"{{1: {O_LARGEFILE}}} open-read-only"),
        (0x200, "{1: 0} open-read-only"),
        (0x410002, f"{{1: {O_DIRECTORY}}} open-read-only"),
        (0x200000, "{1: 0} open-read-only"),
        (1 | JUNK, "{1: 0} open-read-only"),
    ],
)
def test_open_is_for_reading(flags: int, answer: str) -> None:
    assert ask("open", STACK, flags, 0o644) == answer


@pytest.mark.parametrize(
    ("pid", "rusage", "answer"),
    [
        (-1, 0, "allow calls.allow"),
        (0xFFFF_FFFF, 0, "allow calls.allow"),
        (1, 0, "allow calls.allow"),
        ((1 << 31) - 1, 0, "allow calls.allow"),
        (77 | JUNK, 0, "allow calls.allow"),
        (0, 0, "ECHILD wait-group"),
        (JUNK, 0, "ECHILD wait-group"),
        (-2, 0, "ECHILD wait-group"),
        (1 << 31, 0, "ECHILD wait-group"),
        (0, STACK, "ECHILD wait-group"),
        (-1, STACK, "{3: 0} wait-rusage"),
        (1, JUNK, "{3: 0} wait-rusage"),
    ],
)
def test_wait4(pid: int, rusage: int, answer: str) -> None:
    assert ask("wait4", pid, STACK, 0, rusage) == answer


@pytest.mark.parametrize(
    ("pid", "signal", "answer"),
    [
        (1, 1, "allow calls.allow"),
        (5, 31, "allow calls.allow"),
        (5 | JUNK, 15 | JUNK, "allow calls.allow"),
        (0, 15, "EINVAL kill-group"),
        (-1, 15, "EINVAL kill-group"),
        (-5, 15, "EINVAL kill-group"),
        (JUNK, 15, "EINVAL kill-group"),
        (1 << 31, 15, "EINVAL kill-group"),
        (0, 0, "EINVAL kill-group"),
        (5, 0, "EINVAL kill-signal"),
        (5, 32, "EINVAL kill-signal"),
        (5, 64, "EINVAL kill-signal"),
        (5, -1, "EINVAL kill-signal"),
        (5, JUNK, "EINVAL kill-signal"),
    ],
)
def test_kill(pid: int, signal: int, answer: str) -> None:
    assert ask("kill", pid, signal) == answer


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (1, "allow calls.allow"),
        (2, "allow calls.allow"),
        (2 | JUNK, "allow calls.allow"),
        (3, "0 fcntl-getfl quiet"),
        (3 | JUNK, "0 fcntl-getfl quiet"),
        (0, "EINVAL fcntl-command"),
        (4, "EINVAL fcntl-command"),
        (1030, "EINVAL fcntl-command"),
        (MASK64, "EINVAL fcntl-command"),
    ],
)
def test_fcntl(command: int, answer: str) -> None:
    assert ask("fcntl", 1, command, 1) == answer


@pytest.mark.parametrize(
    ("name", "args", "answer"),
    [
        ("pipe2", (STACK, 0), "allow calls.allow"),
        ("pipe2", (STACK, O_CLOEXEC), "allow calls.allow"),
        ("pipe2", (STACK, O_NONBLOCK), "{1: 0} pipe2-flags"),
        ("pipe2", (STACK, O_CLOEXEC | 0x4000), f"{{1: {O_CLOEXEC}}} pipe2-flags"),
        ("pipe2", (STACK, 0xFFFF_FFFF), f"{{1: {O_CLOEXEC}}} pipe2-flags"),
        ("getrandom", (STACK, 16, 0), "allow calls.allow"),
        ("getrandom", (STACK, 16, JUNK), "allow calls.allow"),
        ("getrandom", (STACK, 16, 1), "{2: 0} getrandom-flags"),
        ("getrandom", (STACK, 16, MASK64), "{2: 0} getrandom-flags"),
        ("arch_prctl", (0x1002, STACK), "allow calls.allow"),
        ("arch_prctl", (0x1002 | JUNK, STACK), "allow calls.allow"),
        ("arch_prctl", (0x1001, STACK), "EINVAL arch-set-fs"),
        ("arch_prctl", (0x1003, STACK), "EINVAL arch-set-fs"),
        ("arch_prctl", (0x3001, STACK), "EINVAL arch-set-fs"),
    ],
)
def test_flags_and_codes(name: str, args: tuple[int, ...], answer: str) -> None:
    assert ask(name, *args) == answer


SURFACE = {
    *(0, 1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 22, 28, 33, 39, 56, 59, 60, 61, 62, 72, 79, 80),
    *(131, 158, 202, 204, 217, 218, 228, 231, 273, 293, 318),
}


def test_every_other_number_is_enosys() -> None:
    named = {nr for nr in range(1024) if show(POLICY.decide(Call(nr))) != "ENOSYS unlisted"}
    assert named == SURFACE
    assert POLICY.unlisted == Refuse(38, "unlisted")


class Facts(NamedTuple):
    vfork: str
    threads: bool
    vdso: bool


def test_the_run() -> None:
    process = POLICY.process
    assert Facts(process.vfork, process.threads, process.vdso) == Facts("emulate", False, False)
    assert POLICY.limits == Limits(open_files=64, audit_size=1 << 30)
    assert (POLICY.name, POLICY.waivers) == ("ostoo", ())
