"""(profile, call) → verdict, as the manuals of libseccomp, runc and Docker say."""

from __future__ import annotations

from typing import Any

import pytest

B31, B32, MAX32, MAX64 = 1 << 31, 1 << 32, (1 << 32) - 1, (1 << 64) - 1
MINUS_1 = MAX64

# One comparison in an entry that allows, the default being EPERM: call, register of the comparison, the
# comparison, values that pass, values that do not.
COMPARED: list[tuple[str, int, tuple[Any, ...], list[int], list[int]]] = [
    # A 64-bit unsigned argument: read's count.
    ("read", 2, ("EQ", 5), [5], [0, 4, 6, B32 + 5, MAX64]),
    ("read", 2, ("NE", 5), [0, 4, 6, B32 + 5, MAX64], [5]),
    ("read", 2, ("LT", 5), [0, 4], [5, 6, B32, MAX64]),
    ("read", 2, ("LE", 5), [0, 4, 5], [6, B32, MAX64]),
    ("read", 2, ("GT", 5), [6, B32, MAX64], [0, 5]),
    ("read", 2, ("GE", 5), [5, 6, B32, MAX64], [0, 4]),
    ("read", 2, ("LT", 0), [], [0, 1, MAX64]),
    ("read", 2, ("GE", 0), [0, 1, MAX64], []),
    ("read", 2, ("GT", MAX64), [], [0, 1, MAX64]),
    ("read", 2, ("LE", MAX64), [0, 1, MAX64], []),
    ("read", 2, ("LT", B32), [0, MAX32], [B32, MAX64]),
    ("read", 2, ("GT", MAX32), [B32, MAX64], [0, MAX32]),
    ("read", 2, ("MASKED_EQ", 0xF0, 0x20), [0x20, 0x2F, 0xF20], [0, 0x10, 0x30]),
    ("read", 2, ("MASKED_EQ", 0xF0, 0x123), [0x20, 0x2F], [0, 0x123 & 0xF0 ^ 0x30]),
    ("read", 2, ("MASKED_EQ", MAX64, 7), [7], [0, B32 + 7]),
    ("read", 2, ("MASKED_EQ", 7, 0), [0, 8, B32], [1, 7, 15]),
    ("read", 2, ("MASKED_EQ", 0xFF << 32, 1 << 32), [B32, B32 + 9], [0, 9, 2 * B32]),
    ("read", 2, ("MASKED_EQ", 7), [0, 8], [1, 9]),
    # A signed 64-bit one is compared unsigned all the same: lseek's offset.
    ("lseek", 1, ("LT", 5), [0, 4], [5, MINUS_1, 1 << 63]),
    ("lseek", 1, ("GE", 5), [5, MINUS_1, 1 << 63], [0, 4]),
    ("lseek", 1, ("GT", (1 << 63) - 1), [1 << 63, MINUS_1], [0, (1 << 63) - 1]),
    ("lseek", 1, ("EQ", MINUS_1), [MINUS_1], [0, 1, MAX32]),
    ("lseek", 1, ("NE", MINUS_1), [0, 1, MAX32], [MINUS_1]),
    # 32 bits, signed: only these are read, and -1 is a large number.
    ("socket", 0, ("EQ", 40), [40, B32 + 40], [0, 41]),
    ("socket", 0, ("NE", 40), [0, 39, 41, MAX32], [40, B32 + 40]),
    ("socket", 0, ("LT", 12), [0, 11, B32 + 11], [12, MAX32, B31, MINUS_1]),
    ("socket", 0, ("LE", 12), [0, 12], [13, MAX32]),
    ("socket", 0, ("GE", 12), [12, B31 - 1, B31, MAX32, MINUS_1], [0, 11]),
    ("socket", 0, ("GT", 12), [13, B31, MAX32], [0, 12]),
    ("socket", 0, ("GE", B31), [B31, MAX32], [0, B31 - 1]),
    ("socket", 0, ("LT", B31), [0, B31 - 1], [B31, MAX32]),
    ("socket", 0, ("LE", B31), [0, B31 - 1, B31], [B31 + 1, MAX32]),
    ("socket", 0, ("LE", MAX32), [0, 1, MAX32], []),
    ("socket", 0, ("GT", MAX32), [], [0, 1, MAX32]),
    ("socket", 1, ("MASKED_EQ", 0xF, 1), [1, 0x801], [2, 0x802]),
    ("socket", 1, ("MASKED_EQ", MAX64, 1), [1], [2, 0x801]),
    ("dup2", 0, ("LE", 2), [0, 1, 2], [3, MAX32]),
    ("openat", 0, ("EQ", MAX32 - 99), [MAX32 - 99, MAX64 - 99], [0, 99, 100]),
    ("openat", 2, ("MASKED_EQ", 3, 0), [0, 0o2000000], [1, 2, 3]),
    # 32 bits, unsigned.
    ("personality", 0, ("EQ", MAX32), [MAX32, MAX64], [0, 1]),
    ("personality", 0, ("EQ", 8), [8, B32 + 8], [0, 9]),
    ("personality", 0, ("LT", 8), [0, 7], [8, B31, MAX32]),
    ("personality", 0, ("GE", B31), [B31, MAX32], [0, B31 - 1]),
    ("ioctl", 1, ("NE", 0x5412), [0, 0x5411, 0x5413, MAX32], [0x5412, B32 + 0x5412]),
    # All 64 bits of clone's flags.
    ("clone", 0, ("EQ", 0x4111), [0x4111], [0, B32 + 0x4111]),
    ("clone", 0, ("MASKED_EQ", 0x7E02_0000, 0), [0x4111, 0x3D0F00, B32], [1 << 28, 1 << 17, 1 << 30]),
    # 16 bits, which no range of the policy language fits.
    ("chmod", 1, ("EQ", 0o644), [0o644, 0x1_0000 | 0o644], [0, 0o755]),
    ("chmod", 1, ("LE", 0o777), [0, 0o644, 0o777], [0o1000, 0o4755, 0xFFFF]),
    ("chmod", 1, ("LT", 0o1234), [0, 0o1233], [0o1234, 0o1235, 0xFFFF]),
    ("chmod", 1, ("GT", 0o1234), [0o1235, 0o7777], [0, 0o1234]),
    ("chmod", 1, ("NE", 0), [1, 0o777], [0, 0x1_0000]),
    ("chmod", 1, ("MASKED_EQ", 0o6000, 0), [0, 0o1777], [0o2000, 0o4755, 0o6000]),
    # Pointers: any, where they point to no text; NULL or not where they do.
    ("brk", 0, ("GE", 0x1000), [0x1000, MAX64], [0, 0xFFF]),
    ("mmap", 0, ("EQ", 0), [0], [1, MAX64]),
    ("open", 0, ("EQ", 0), [0], [1, MAX64]),
    ("open", 0, ("NE", 0), [1, MAX64], [0]),
    ("open", 0, ("GT", 0), [1, MAX64], [0]),
    ("open", 0, ("GE", 1), [1, MAX64], [0]),
    ("open", 0, ("LE", 0), [0], [1, MAX64]),
    ("open", 0, ("LT", 1), [0], [1, MAX64]),
    ("open", 0, ("MASKED_EQ", MAX64, 0), [0], [1, MAX64]),
    ("execve", 1, ("NE", 0), [1, MAX64], [0]),
]  # fmt: skip
CASES = [
    pytest.param(call, index, args, value, passes, id=f"{call}-{args[0]}-{args[1]:#x}-{value:#x}")
    for call, index, args, passing, failing in COMPARED
    for values, passes in ((passing, True), (failing, False))
    for value in values
]


def registers(index: int, value: int) -> list[int]:
    return [value if place == index else 3 for place in range(6)]


@pytest.mark.parametrize(("call", "index", "args", "value", "passes"), CASES)
def test_one_comparison(
    oci: Any, call: str, index: int, args: tuple[Any, ...], value: int, passes: bool
) -> None:
    made = oci.imported(oci.profile(oci.entry(call, "ALLOW", (index, *args))))
    assert made.losses == ()
    assert oci.verdict(oci.policy(made), call, *registers(index, value)) == ("allow" if passes else "1")


@pytest.mark.parametrize(("call", "index", "args", "value", "passes"), CASES)
def test_one_comparison_that_refuses(
    oci: Any, call: str, index: int, args: tuple[Any, ...], value: int, passes: bool
) -> None:
    refusing = oci.entry(call, "ERRNO", (index, *args), errnoRet=13)
    policy = oci.policy(oci.imported(oci.profile(refusing, default="ALLOW")))
    assert oci.verdict(policy, call, *registers(index, value)) == ("13" if passes else "allow")


def test_the_tables_are_large() -> None:
    assert len(CASES) > 250


ACTIONS = [
    ("ALLOW", {}, "allow", ""),
    ("ERRNO", {}, "1", ""),
    ("ERRNO", {"errnoRet": 38}, "38", ""),
    ("ERRNO", {"errno": "ENOSYS"}, "38", ""),
    ("ERRNO", {"errno": "ENOSYS", "errnoRet": 38}, "38", ""),
    ("ERRNO", {"errnoRet": 133}, "133", ""),
    ("ERRNO", {"errnoRet": 0}, "0", ""),
    ("ERRNO", {"errnoRet": 600}, "1", "errno 600 has no name"),
    ("KILL_PROCESS", {}, "kill", ""),
    ("KILL", {}, "kill", "SCMP_ACT_KILL_THREAD: it kills one thread"),
    ("KILL_THREAD", {}, "kill", "SCMP_ACT_KILL_THREAD: it kills one thread"),
    ("TRAP", {}, "kill", "SCMP_ACT_TRAP: it sends SIGSYS"),
    ("TRACE", {}, "38", "SCMP_ACT_TRACE: it asks a tracer"),
    ("TRACE", {"errnoRet": 5}, "38", "SCMP_ACT_TRACE: it asks a tracer"),
    ("NOTIFY", {}, "38", "SCMP_ACT_NOTIFY: it asks an agent"),
    ("LOG", {}, "watch", "SCMP_ACT_LOG: it logs"),
]


@pytest.mark.parametrize(("action", "fields", "expected", "loss"), ACTIONS)
def test_actions(oci: Any, action: str, fields: dict[str, Any], expected: str, loss: str) -> None:
    made = oci.imported(oci.profile(oci.entry("uname", action, **fields), defaultErrnoRet=99))
    assert oci.verdict(oci.policy(made), "uname") == expected
    assert bool(loss) == bool(made.losses)
    assert all(loss in one and one.startswith("syscalls[0]: ") for one in made.losses)


DEFAULTS = [
    ("ERRNO", {}, "1", "1", False),
    ("ERRNO", {"defaultErrnoRet": 38}, "38", "38", False),
    ("ERRNO", {"defaultErrno": "EACCES"}, "13", "13", False),
    ("KILL_PROCESS", {}, "kill", "kill", False),
    ("KILL", {}, "kill", "kill", True),
    ("TRAP", {}, "kill", "kill", True),
    ("NOTIFY", {}, "38", "38", True),
    ("TRACE", {}, "38", "38", True),
    # What has no name can't be allowed: it might be a call nobody has thought of.
    ("ALLOW", {}, "allow", "38", True),
    ("LOG", {}, "watch", "38", True),
    ("ERRNO", {"defaultErrnoRet": 0}, "0", "38", True),
]


@pytest.mark.parametrize(("action", "fields", "named", "nameless", "lost"), DEFAULTS)
def test_default_actions(
    oci: Any, action: str, fields: dict[str, Any], named: str, nameless: str, lost: bool
) -> None:
    kept = oci.entry("uname", "ERRNO", errnoRet=22)
    made = oci.imported(oci.profile(kept, default=action, **fields))
    policy = oci.policy(made)
    assert oci.verdict(policy, "ptrace") == named
    assert oci.verdict(policy, 1000) == nameless
    assert oci.verdict(policy, "uname") == "22"
    assert bool(made.losses) == lost


# Several entries for one call: entries, then what a first argument of 0, 1, 2, 3 gets. Default: EPERM.
A0, A1, A2 = (0, "EQ", 0), (0, "EQ", 1), (0, "EQ", 2)
SEVERAL: list[tuple[str, list[tuple[Any, ...]], list[str]]] = [
    ("or", [("ALLOW", A0), ("ALLOW", A1)], ["allow", "allow", "1", "1"]),
    ("and", [("ALLOW", (0, "LE", 1), (1, "EQ", 7))], ["allow", "allow", "1", "1"]),
    ("and fails", [("ALLOW", (0, "LE", 1), (1, "EQ", 8))], ["1", "1", "1", "1"]),
    ("one argument twice is or", [("ALLOW", A0, A2)], ["allow", "1", "allow", "1"]),
    ("or, the other argument too", [("ALLOW", A0, A2, (1, "EQ", 7))], ["allow"] * 4),
    ("unconditional wins", [("ALLOW",), ("ERRNO5", A0)], ["allow"] * 4),
    ("unconditional wins, later", [("ERRNO5", A0), ("ALLOW",)], ["allow"] * 4),
    ("unconditional wins, stricter", [("ALLOW", A0), ("ERRNO5",)], ["5"] * 4),
    ("the first unconditional", [("ERRNO5",), ("ALLOW",)], ["5"] * 4),
    ("the first unconditional of two", [("ALLOW",), ("ERRNO5",)], ["allow"] * 4),
    ("as the default: skipped", [("ERRNO1", A0), ("ALLOW",)], ["allow"] * 4),
    ("as the default: no rule", [("ERRNO1",), ("ALLOW", A0)], ["allow", "1", "1", "1"]),
    ("a mask of 0 is no comparison", [("ALLOW", (0, "MASKED_EQ", 0, 5)), ("ERRNO5", A0)], ["allow"] * 4),
    ("a comparison all pass is one", [("ERRNO5", (1, "GE", 0)), ("ALLOW",)], ["allow"] * 4),
    ("two errnos", [("ERRNO5", A0), ("ERRNO6", A1)], ["5", "6", "1", "1"]),
    ("apart", [("ALLOW", A0), ("ERRNO5", A1)], ["allow", "5", "1", "1"]),
    ("overlap", [("ALLOW", (0, "LE", 1)), ("ERRNO5", (0, "GE", 1))], ["allow", "5", "5", "5"]),
    ("overlap, other order", [("ERRNO5", (0, "GE", 1)), ("ALLOW", (0, "LE", 1))], ["allow", "5", "5", "5"]),
    ("overlap with kill", [("ALLOW", (0, "LE", 2)), ("KILL_PROCESS", A1)], ["allow", "kill", "allow", "1"]),
    ("overlap of log", [("ALLOW", (0, "LE", 2)), ("LOG", A1)], ["allow", "watch", "allow", "1"]),
    ("overlap of 0", [("ALLOW", (0, "LE", 2)), ("ERRNO0", A1)], ["allow", "0", "allow", "1"]),
    ("never", [("ALLOW", (0, "LT", 0))], ["1"] * 4),
    ("joined to all", [("ALLOW", (0, "LT", 2)), ("ALLOW", (0, "GE", 2))], ["allow"] * 4),
    ("joined to all but 0", [("ALLOW", (0, "LT", 0)), ("ALLOW", (0, "GT", 0))], ["1"] + ["allow"] * 3),
]  # fmt: skip


def several(oci: Any, entries: list[tuple[Any, ...]], call: str = "dup2") -> Any:
    made = []
    for action, *args in entries:
        word = action.rstrip("0123456789")
        fields = {"errnoRet": int(action[len(word) :])} if word == "ERRNO" else {}
        made.append(oci.entry(call, word, *args, **fields))
    return oci.profile(*made)


@pytest.mark.parametrize(
    ("entries", "expected"), [case[1:] for case in SEVERAL], ids=[case[0] for case in SEVERAL]
)
def test_several_entries_for_a_call(oci: Any, entries: list[tuple[Any, ...]], expected: list[str]) -> None:
    profile = several(oci, entries)
    policy = oci.policy(oci.imported(profile))
    assert [oci.verdict(policy, "dup2", first, 7) for first in range(4)] == expected
    reference = [oci.judged(profile, "dup2", (first, 7, 0, 0, 0, 0)) for first in range(4)]
    assert reference == [{one} for one in expected]


@pytest.mark.parametrize(
    ("entries", "expected"), [case[1:] for case in SEVERAL], ids=[case[0] for case in SEVERAL]
)
def test_an_overlap_is_named(oci: Any, entries: list[tuple[Any, ...]], expected: list[str]) -> None:
    losses = oci.imported(several(oci, entries)).losses
    overlapping = [loss for loss in losses if "overlap" in loss]
    names = next(case[0] for case in SEVERAL if case[1] is entries)
    assert bool(overlapping) == names.startswith("overlap")
    assert all(loss.startswith("syscalls[") and "dup2" in loss for loss in overlapping)


# What can't be said of an argument: call, entry, and what (fitting, other) registers get; then the loss.
INEXACT: list[tuple[str, str, str, tuple[Any, ...], list[int], str, str]] = [
    ("a pointer to text", "open", "ALLOW", (0, "EQ", 4096), [4096], "1", "path is a pointer"),
    ("a pointer to text refused", "open", "ERRNO", (0, "EQ", 4096), [4096, 1], "5", "path is a pointer"),
    ("no such argument", "getpid", "ALLOW", (0, "EQ", 1), [1], "1", "has no argument 0"),
    ("no such argument refused", "getpid", "ERRNO", (0, "EQ", 1), [1, 2], "5", "has no argument 0"),
    ("too wide", "socket", "ALLOW", (0, "EQ", B32 + 40), [40, B32 + 40], "1", "does not fit in the 32 bits"),
    ("too wide refused", "socket", "ERRNO", (0, "EQ", B32 + 40), [40, B32 + 40], "5", "does not fit"),
    ("too wide a limit", "socket", "ALLOW", (0, "GT", B32), [1, B32 + 1], "1", "does not fit"),
    ("too wide a limit refused", "socket", "ERRNO", (0, "GT", B32), [1, B32 + 1], "5", "does not fit"),
    ("too wide a mask", "socket", "ALLOW", (0, "MASKED_EQ", MAX64, B32 + 1), [1], "1", "does not fit"),
    ("too wide, masked", "socket", "ERRNO", (0, "MASKED_EQ", MAX64, B32 + 1), [1], "5", "not fit"),
    ("below too wide", "socket", "ALLOW", (0, "LT", B32 + 1), [0, MAX32], "allow", "does not fit"),
    ("not the too wide", "socket", "ALLOW", (0, "NE", B32 + 1), [0, 1], "allow", "does not fit"),
    ("sign-extended", "socket", "ALLOW", (0, "EQ", MAX64), [MAX32, MAX64], "allow", "is read as -1"),
    ("sign-extended refused", "socket", "ERRNO", (0, "EQ", MAX64), [MAX32, MAX64], "5", "is read as -1"),
    ("unsigned", "personality", "ALLOW", (0, "EQ", MAX64), [MAX32, MAX64], "1", "does not fit"),
    ("a mode", "chmod", "ALLOW", (1, "EQ", 0x10000), [0, 0x10000], "1", "does not fit in the 16 bits"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "action", "arg", "values", "expected", "loss"),
    [case[1:] for case in INEXACT],
    ids=[case[0] for case in INEXACT],
)
def test_the_inexact_is_named_and_stricter(
    oci: Any, call: str, action: str, arg: tuple[Any, ...], values: list[int], expected: str, loss: str
) -> None:
    fields = {"errnoRet": 5} if action == "ERRNO" else {}
    default = "ERRNO" if action == "ALLOW" else "ALLOW"
    made = oci.imported(oci.profile(oci.entry(call, action, arg, **fields), default=default))
    policy = oci.policy(made)
    assert {oci.verdict(policy, call, *registers(arg[0], value)) for value in values} == {expected}
    assert any(one.startswith(f"syscalls[0].args[0] ({call}): ") and loss in one for one in made.losses)


def test_an_inexact_rule_that_loosens_takes_nothing_from_the_others(oci: Any) -> None:
    profile = oci.profile(
        oci.entry("open", "ALLOW", (0, "EQ", 4096)), oci.entry("open", "ALLOW", (1, "EQ", 2))
    )
    made = oci.imported(profile)
    policy = oci.policy(made)
    assert len(made.losses) == 1
    assert [oci.verdict(policy, "open", 4096, flags) for flags in (1, 2)] == ["1", "allow"]


def test_a_rule_between_two_is_widened_to_the_strictest(oci: Any) -> None:
    """Default kill, EIO where a path is 4096, the rest allowed: the path can't be seen, so kill."""
    profile = oci.profile(
        oci.entry("open", "ERRNO", (0, "EQ", 4096), (1, "EQ", 0), errnoRet=5),
        oci.entry("open", "ALLOW", (1, "LE", 1)),
        default="KILL_PROCESS",
    )
    policy = oci.policy(oci.imported(profile))
    assert oci.verdict(policy, "open", 4096, 0) == "kill"
    assert oci.verdict(policy, "open", 1, 0) == "kill"
    assert oci.verdict(policy, "open", 4096, 1) == "allow"
    assert oci.verdict(policy, "open", 4096, 2) == "kill"


# includes and excludes: fields, capabilities, kernel, whether the entry counts.
CHOSEN: list[tuple[dict[str, Any], list[str], tuple[int, int], bool]] = [
    ({}, [], (6, 1), True),
    ({"includes": {}, "excludes": {}}, [], (6, 1), True),
    ({"includes": None}, [], (6, 1), True),
    ({"includes": {"caps": ["CAP_SYS_ADMIN"]}}, [], (6, 1), False),
    ({"includes": {"caps": ["CAP_SYS_ADMIN"]}}, ["CAP_SYS_ADMIN"], (6, 1), True),
    ({"includes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]}}, ["CAP_SYS_ADMIN"], (6, 1), False),
    ({"includes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]}}, ["CAP_BPF", "CAP_SYS_ADMIN"], (6, 1), True),
    ({"excludes": {"caps": ["CAP_SYS_ADMIN"]}}, [], (6, 1), True),
    ({"excludes": {"caps": ["CAP_SYS_ADMIN"]}}, ["CAP_SYS_ADMIN"], (6, 1), False),
    ({"excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]}}, ["CAP_BPF"], (6, 1), False),
    ({"includes": {"arches": ["amd64"]}}, [], (6, 1), True),
    ({"includes": {"arches": ["x32", "amd64"]}}, [], (6, 1), True),
    ({"includes": {"arches": ["x86", "x32"]}}, [], (6, 1), False),
    ({"includes": {"arches": []}}, [], (6, 1), True),
    ({"excludes": {"arches": ["s390", "s390x"]}}, [], (6, 1), True),
    ({"excludes": {"arches": ["amd64"]}}, [], (6, 1), False),
    ({"includes": {"minKernel": "4.8"}}, [], (6, 1), True),
    ({"includes": {"minKernel": "4.8"}}, [], (4, 8), True),
    ({"includes": {"minKernel": "4.8"}}, [], (4, 7), False),
    ({"includes": {"minKernel": "4.10"}}, [], (4, 9), False),
    ({"includes": {"minKernel": "4.10"}}, [], (4, 11), True),
    ({"includes": {"minKernel": ""}}, [], (2, 6), True),
    ({"excludes": {"minKernel": "5.0"}}, [], (4, 19), True),
    ({"excludes": {"minKernel": "5.0"}}, [], (5, 0), False),
    ({"includes": {"caps": ["CAP_BPF"]}, "excludes": {"arches": ["amd64"]}}, ["CAP_BPF"], (6, 1), False),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "caps", "kernel", "chosen"), CHOSEN)
def test_includes_and_excludes(
    oci: Any, fields: dict[str, Any], caps: list[str], kernel: tuple[int, int], chosen: bool
) -> None:
    profile = oci.profile(oci.entry("uname", **fields))
    made = oci.imported(profile, *caps, kernel=kernel)
    expected = "allow" if chosen else "1"
    assert oci.verdict(oci.policy(made), "uname") == expected
    assert oci.judged(profile, "uname", (0,) * 6, caps, kernel) == {expected}
    assert made.losses == ()
    assert ("Entries that do not count" in made.text) == (not chosen)
