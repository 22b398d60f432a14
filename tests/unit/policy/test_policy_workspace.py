"""The shipped policy `workspace`, call by call: what it allows beyond `default`, and what it doesn't."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from sandbox.outcome import Refuse
from sandbox.policy.load import load
from sandbox.policy.model import Limits, Policy, Process
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, Call

Ask = Callable[..., str]
POLICY, DEFAULT = load("workspace"), load("default")
PTR = 0x7FFF_0000_1000
JUNK = 0xBAD_0000_0000
AT_FDCWD = -100
O_CREAT, O_TMPFILE, O_DIRECTORY = 0x40, 0x410000, 0x10000


def words(text: str) -> list[str]:
    return text.split()


ARGUMENTS = [(), (1, 2, 3, 4, 5, 6), (MASK64,) * 6]
FLAGS = [0x11, 0x1200011, 0x4111, 0x3D0F00, 0x111, 0]


@pytest.fixture
def ask(decision_of: Callable[..., str]) -> Ask:
    return partial(decision_of, POLICY)


@pytest.mark.parametrize("flags", FLAGS)
def test_processes_and_threads(ask: Ask, flags: int) -> None:
    """What no policy may allow (CLONE_UNTRACED and its like) is the supervisor's to refuse."""
    assert ask("clone", flags, 0) == ask("clone", flags, PTR) == "allow"
    assert ask("fork") == ask("vfork") == "allow"


def test_clone3_is_answered_without_a_stop(ask: Ask) -> None:
    assert ask("clone3", PTR, 88) == "(quiet) ENOSYS clone3-probe"


OWNERS = words("chown fchown fchownat lchown")
TIMES = words("futimesat utime utimensat utimes")
ATTRIBUTES = words(
    """
    file_setattr fremovexattr fsetxattr lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat
    """
)
FILES = words(
    """
    link linkat mkdir mkdirat rename renameat renameat2 rmdir symlink symlinkat truncate unlink unlinkat
    """
)


@pytest.mark.parametrize("args", ARGUMENTS)
def test_files_may_be_changed(ask: Ask, args: tuple[int, ...]) -> None:
    assert {name: ask(name, *args) for name in FILES} == dict.fromkeys(FILES, "allow")


@pytest.mark.parametrize("args", ARGUMENTS)
def test_metadata_is_the_supervisors(ask: Ask, args: tuple[int, ...]) -> None:
    """Landlock does not decide about it."""
    for names, expected in (
        (OWNERS, "Emulate(name='confined-owner', rule='owners')"),
        (TIMES, "Emulate(name='confined-times', rule='times')"),
        (ATTRIBUTES, "(quiet) EOPNOTSUPP attributes"),
    ):
        assert {name: ask(name, *args) for name in names} == dict.fromkeys(names, expected)


@pytest.mark.parametrize("flags", [0, 1, 2, 0x241, 0x242, 0x42, O_TMPFILE | 2, 0x80000 | O_CREAT | JUNK])
def test_files_may_be_opened_in_any_way(ask: Ask, flags: int) -> None:
    assert ask("open", PTR, flags, 0o666) == "allow"
    assert ask("openat", AT_FDCWD, PTR, flags, 0o1777) == "allow"


@pytest.mark.parametrize("bits", [0o4000, 0o2000, 0o6000])
def test_no_set_id_files(ask: Ask, bits: int) -> None:
    mode = bits | 0o755
    assert ask("chmod", PTR, mode) == ask("fchmod", 3, mode) == ask("creat", PTR, mode) == "EPERM set-id"
    assert ask("fchmodat", 3, PTR, mode) == ask("fchmodat2", 3, PTR, mode, 0) == "EPERM set-id"
    assert ask("mknod", PTR, 0o100000 | mode) == ask("mknodat", 3, PTR, 0o100000 | mode) == "EPERM set-id"
    for flags in (O_CREAT, O_CREAT | 0x201, O_TMPFILE | 1, O_TMPFILE & ~O_DIRECTORY):
        assert ask("open", PTR, flags, mode) == "EPERM set-id-open"
        assert ask("openat", AT_FDCWD, PTR, flags | JUNK, mode | JUNK) == "EPERM set-id-open"


@pytest.mark.parametrize("flags", [0, 1, 2, O_DIRECTORY, 0x80000, 0x201])
def test_the_mode_of_an_open_that_makes_no_file_is_not_looked_at(ask: Ask, flags: int) -> None:
    assert ask("open", PTR, flags, MASK64) == ask("openat", AT_FDCWD, PTR, flags, MASK64) == "allow"


def test_ordinary_modes(ask: Ask) -> None:
    confined = "Emulate(name='confined-mode', rule='modes')"
    assert ask("creat", PTR, 0o600) == "allow"
    assert ask("chmod", PTR, 0o1777) == ask("fchmod", 3, 0o755) == confined
    assert ask("fchmodat", AT_FDCWD, PTR, 0o644) == ask("fchmodat2", 3, PTR, 0, 0x100) == confined


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (0o000000, "allow"),
        (0o100000, "allow"),
        (0o010000, "allow"),
        (0o140000, "allow"),
        (0o020000, "EPERM make-device"),
        (0o060000, "EPERM make-device"),
        (0o170000, "EPERM make-device"),
    ],
)
def test_nodes_but_not_devices(ask: Ask, kind: int, expected: str) -> None:
    assert ask("mknod", PTR, kind | 0o644, 0x103) == expected
    assert ask("mknodat", AT_FDCWD, PTR, kind | 0o644 | JUNK, 0x103) == expected


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("socket", (1, 1, 0), "EACCES named-socket"),
        ("socket", (2, 1, 0), "EACCES no-network"),
        ("socket", (10, 2, 0), "EACCES no-network"),
        ("socket", (16, 3, 0), "EACCES no-network"),
        ("connect", (3, PTR, 110), "EACCES no-network"),
        ("bind", (3, PTR, 110), "EACCES no-network"),
        ("socketpair", (1, 1, 0, PTR), "allow"),
        ("socketpair", (1, 0x80801, 0, PTR), "allow"),
        ("socketpair", (1, 2, 0, PTR), "EACCES socketpair-type"),
        ("socketpair", (2, 1, 0, PTR), "EACCES socketpair-family"),
        ("ioctl", (0, 0x5412, PTR), "EPERM terminal-input"),
        ("fcntl", (0, 8, 1), "EPERM fcntl-owner"),
        ("prctl", (22, 2, PTR), "EINVAL prctl-option"),
        ("prctl", (4, 0), "EINVAL prctl-option"),
        ("prlimit64", (1, 7, PTR, 0), "EPERM own-limits"),
        ("personality", (0x40000,), "EPERM personality"),
        ("openat2", (AT_FDCWD, PTR, PTR, 24), "ENOSYS openat2"),
        ("pidfd_send_signal", (3, 9, 0, 0), "ENOSYS pidfd-signal"),
        ("ptrace", (16, 1), "EPERM other-processes"),
        ("mount", (PTR, PTR, PTR), "EPERM privileged"),
        ("unshare", (0x10000000,), "EPERM privileged"),
        ("io_uring_setup", (8, PTR), "ENOSYS kernel-features"),
        ("shmget", (0, 4096), "ENOSYS unlisted"),
    ],
)
def test_refused_as_in_default(ask: Ask, name: str, args: tuple[int, ...], expected: str) -> None:
    assert ask(name, *args) == expected


MORE = {*OWNERS, *TIMES, *words("chmod fchmod fchmodat fchmodat2 fork mknod mknodat vfork")}


def test_what_can_run_beyond_default(runnable: Callable[[Policy], set[str]]) -> None:
    assert runnable(POLICY) - runnable(DEFAULT) == MORE
    assert runnable(DEFAULT) <= runnable(POLICY)


def refused(policy: Policy, args: tuple[int, ...]) -> set[str]:
    a, b, c, d, e, f = (*args, *(0,) * (6 - len(args)))
    return {
        table.name(nr)
        for nr in range(1024)
        if isinstance(policy.decide(Call(nr, (a, b, c, d, e, f))), Refuse)
    }


@pytest.mark.parametrize("args", ARGUMENTS)
def test_nothing_else_differs_from_default(args: tuple[int, ...]) -> None:
    """What is refused there and not here is one of those above; the other way round, set-ID files only."""
    assert refused(DEFAULT, args) - refused(POLICY, args) <= {*MORE, "clone"}
    assert refused(POLICY, args) - refused(DEFAULT, args) <= {"creat", "open", "openat"}


def test_the_run() -> None:
    assert POLICY.process == Process("emulate", 512, threads=True, vdso=True)
    assert POLICY.limits == Limits(open_files=1024, audit_size=1 << 30)
    assert not POLICY.waivers
    assert {*POLICY.environment.keep} - {*DEFAULT.environment.keep} == {"LOGNAME", "SHELL", "USER"}
    assert {*DEFAULT.environment.keep} < {*POLICY.environment.keep}
    assert POLICY.environment.set == DEFAULT.environment.set
