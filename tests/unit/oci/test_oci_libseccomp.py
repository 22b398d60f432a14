"""The same profiles built by the installed libseccomp, as runc would, and its filter run in our simulator."""

from __future__ import annotations

import ctypes
import json
import os
from typing import Any

import pytest

from sandbox.oci.exporter import export_policy
from sandbox.policy.load import load, loads, shipped
from sandbox.policy.model import Policy
from sandbox.seccomp.bpf import decode
from sandbox.seccomp.simulate import Simulator
from sandbox.syscalls import table
from sandbox.syscalls.call import Call

B32, MAX64 = 1 << 32, (1 << 64) - 1
OPERATORS = ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")
ACTIONS = {
    "KILL_PROCESS": 0x8000_0000,
    "KILL": 0,
    "ERRNO": 0x0005_0000,
    "LOG": 0x7FFC_0000,
    "ALLOW": 0x7FFF_0000,
}


class Compared(ctypes.Structure):
    """struct scmp_arg_cmp of seccomp.h."""

    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    ]


class Library:
    """libseccomp by ctypes; each failure raises OSError."""

    def __init__(self) -> None:
        self.lib = ctypes.CDLL("libseccomp.so.2")
        context, number = ctypes.c_void_p, ctypes.c_uint32
        self.lib.seccomp_init.restype = context
        self.lib.seccomp_init.argtypes = [number]
        self.lib.seccomp_release.argtypes = [context]
        self.lib.seccomp_export_bpf.argtypes = [context, ctypes.c_int]
        pointer = ctypes.POINTER(Compared)
        self.lib.seccomp_rule_add_array.argtypes = [context, number, ctypes.c_int, ctypes.c_uint, pointer]

    def build(self, profile: dict[str, Any]) -> Simulator:
        default = action(profile["defaultAction"], profile.get("defaultErrnoRet"))
        context = self.lib.seccomp_init(default)
        try:
            for entry in profile["syscalls"]:
                does = action(entry["action"], entry.get("errnoRet"))
                if does != default:  # libseccomp refuses it, runc leaves it out
                    self.add(context, does, entry)
            return self.filter(context)
        finally:
            self.lib.seccomp_release(context)

    def add(self, context: int, does: int, entry: dict[str, Any]) -> None:
        args = entry.get("args", [])
        several = len({one["index"] for one in args}) < len(args)
        for name in entry["names"]:
            for group in [[one] for one in args] if several else [args]:
                array = (Compared * max(len(group), 1))(*map(compared, group))
                nr = table.NUMBERS[name]
                check(self.lib.seccomp_rule_add_array(context, does, nr, len(group), array))

    def filter(self, context: int) -> Simulator:
        fd = os.memfd_create("filter")
        try:
            check(self.lib.seccomp_export_bpf(context, fd))
            return Simulator(decode(os.pread(fd, 1 << 20, 0)))
        finally:
            os.close(fd)


def check(result: int) -> None:
    if result < 0:
        raise OSError(-result, "libseccomp")


def compared(one: dict[str, Any]) -> Compared:
    op = OPERATORS.index(one["op"].removeprefix("SCMP_CMP_")) + 1
    return Compared(one["index"], op, one["value"], one.get("valueTwo", 0))


def action(name: str, errno: int | None) -> int:
    word = name.removeprefix("SCMP_ACT_")
    return ACTIONS[word] | ((1 if errno is None else errno) if word == "ERRNO" else 0)


def told(answer: int) -> str:
    """A filter's answer as a policy's verdict."""
    if answer & 0xFFFF_0000 == ACTIONS["ERRNO"]:
        return str(answer & 0xFFFF)
    return {0: "kill", 0x8000_0000: "kill", 0x7FFC_0000: "watch", 0x7FFF_0000: "allow"}[answer]


@pytest.fixture(scope="module")
def library() -> Library:
    try:
        return Library()
    except OSError:
        pytest.skip("no libseccomp.so.2")


VALUES = [
    0,
    1,
    2,
    3,
    7,
    8,
    12,
    39,
    40,
    41,
    0x4111,
    0x8000,
    0xFFFF,
    1 << 31,
    B32 - 1,
    B32,
    B32 + 40,
    1 << 63,
    MAX64,
]


def registers() -> list[tuple[int, int, int, int, int, int]]:
    pairs = [(first, second) for first in VALUES for second in VALUES[::4]]
    return [(first, second, first, second, first, second) for first, second in pairs]


def assert_same(oci: Any, sim: Simulator, policy: Policy, name: str, *, narrow: bool) -> None:
    nr = table.NUMBERS[name]
    for args in registers():
        seen = oci.narrowed(name, args) if narrow else args
        assert told(sim.action(Call(nr, seen))) == oci.verdict(policy, name, *seen), (name, seen)


# Entries whose rules do not overlap, or where libseccomp's own order is plain.
PROFILES: list[list[tuple[Any, ...]]] = [
    *([("socket", "ALLOW", (0, op, value))] for op in OPERATORS[:6] for value in (0, 1, 12, 40, B32 - 1)),
    *([("read", "ALLOW", (2, op, value))] for op in OPERATORS[:6] for value in (0, 8, B32, B32 + 40, MAX64)),
    [("socket", "ALLOW", (0, "MASKED_EQ", 0xF, 0x18))],
    [("socket", "ALLOW", (0, "MASKED_EQ", 0, 1))],
    [("read", "ALLOW", (2, "MASKED_EQ", MAX64 << 3 & MAX64, 8))],
    [("dup2", "ALLOW", (0, "EQ", 1)), ("dup2", "ALLOW", (0, "EQ", 7))],
    [("dup2", "ALLOW", (0, "EQ", 1), (1, "NE", 7))],
    [("dup2", "ALLOW", (0, "EQ", 1), (0, "EQ", 7))],
    [("dup2", "ALLOW", (0, "LT", 3), (0, "GT", 40), (1, "EQ", 2))],
    [("dup2", "ALLOW"), ("dup2", "KILL_PROCESS", (0, "EQ", 1))],
    [("dup2", "KILL_PROCESS", (0, "EQ", 1)), ("dup2", "ALLOW")],
    [("dup2", "KILL_PROCESS"), ("dup2", "ALLOW")],
    [("dup2", "ALLOW"), ("dup2", "KILL_PROCESS")],
    [("dup2", "ALLOW", (0, "MASKED_EQ", 0, 7)), ("dup2", "KILL_PROCESS", (0, "EQ", 1))],
    [("dup2", "KILL_PROCESS", (0, "GE", 0)), ("dup2", "ALLOW")],
    [("dup2", "ERRNO", (0, "EQ", 1)), ("dup2", "ALLOW")],
    [("dup2", "ALLOW", (0, "EQ", 1)), ("dup2", "LOG", (0, "EQ", 2)), ("dup2", "KILL_PROCESS", (0, "EQ", 7))],
    [("chmod", "ALLOW", (1, "LE", 0o777))],
    [("lseek", "ALLOW", (1, "LT", 1 << 63))],
    [("openat", "ALLOW", (0, "EQ", B32 - 100), (2, "MASKED_EQ", 3, 0))],
    [("personality", "ALLOW", (0, "EQ", value)) for value in (0, 8, B32 - 1)],
]  # fmt: skip


@pytest.mark.parametrize("entries", PROFILES, ids=[str(nth) for nth in range(len(PROFILES))])
def test_a_policy_decides_as_libseccomps_filter(oci: Any, library: Library, entries: list[Any]) -> None:
    profile = oci.profile(*(oci.entry(*one) for one in entries))
    made = oci.imported(profile)
    assert all("SCMP_ACT_LOG" in loss for loss in made.losses)
    assert_same(oci, library.build(profile), oci.policy(made), entries[0][0], narrow=True)


@pytest.mark.parametrize("name", shipped())
def test_an_exported_policy_is_built_and_decides_alike(oci: Any, library: Library, name: str) -> None:
    policy = load(name)
    profile = json.loads(export_policy(policy).text)
    # Emulations, rewrites and values are refused: compare with what the profile itself says.
    reference = loads(oci.imported(profile).text)
    sim = library.build(profile)
    for call in table.NUMBERS:
        assert_same(oci, sim, reference, call, narrow=False)
