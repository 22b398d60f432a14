"""A profile as a policy as a profile as a policy: every call gets what it got, whatever its arguments.

The large profile has the shape of those that ship with container engines, and every kind of entry in them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.oci.exporter import export_policy
from sandbox.oci.importer import Imported, Target, import_profile
from sandbox.policy.load import load, loads, shipped
from sandbox.policy.model import Policy
from sandbox.syscalls import table

B32, MAX64 = 1 << 32, (1 << 64) - 1
WELL_KNOWN = (
    "/etc/docker/seccomp.json",
    "/usr/share/containers/seccomp.json",
    "/etc/containers/seccomp.json",
)
NAMESPACES = 0x7E02_0000
CAPS = [(), ("CAP_SYS_ADMIN",), ("CAP_SYS_PTRACE", "CAP_SYS_TIME", "CAP_BPF")]
ARGUMENTS = [0, 1, 2, 8, 11, 12, 13, 39, 40, 41, 0x4111, 0x20008, NAMESPACES, 0x1002_0000, 1 << 31, B32 - 1]
REGISTERS = [*ARGUMENTS, B32, B32 + 40, 1 << 63, MAX64]

PRIVILEGED = {
    "CAP_SYS_ADMIN": "bpf clone clone3 mount mount_setattr setns unshare umount2 umount",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_vm_readv process_vm_writev ptrace",
    "CAP_SYS_TIME": "settimeofday stime clock_settime clock_settime64",
    "CAP_BPF": "bpf",
    "CAP_SYS_MODULE": "init_module finit_module delete_module",
}
DECIDED_BY_MORE = (
    "socket personality clone clone3 arch_prctl modify_ldt ptrace process_vm_readv process_vm_writev reboot"
)


def engine_profile(oci: Any) -> dict[str, Any]:
    """About 300 names allowed, and one of every other kind of entry."""
    apart = set(" ".join((DECIDED_BY_MORE, *PRIVILEGED.values())).split())
    plain = [name for name in sorted(table.NUMBERS) if name not in apart][:300]
    foreign = ["chown32", "fcntl64", "socketcall", "_llseek", "time64"]
    entry = oci.entry
    entries = [
        {"names": plain + foreign, "action": "SCMP_ACT_ALLOW"},
        entry("process_vm_readv process_vm_writev ptrace", includes={"minKernel": "4.8"}),
        entry("socket", "ALLOW", (0, "NE", 40)),
        *(entry("personality", "ALLOW", (0, "EQ", value)) for value in (0, 8, 0x20000, 0x20008, B32 - 1)),
        entry("sync_file_range2 swapcontext", includes={"arches": ["ppc64le"]}),
        entry("arch_prctl", includes={"arches": ["amd64", "x32"]}),
        entry("modify_ldt", includes={"arches": ["amd64", "x32", "x86"]}),
        *(entry(names, includes={"caps": [cap]}) for cap, names in PRIVILEGED.items()),
        entry(
            "clone", "ALLOW", (0, "MASKED_EQ", NAMESPACES, 0),
            excludes={"caps": ["CAP_SYS_ADMIN"], "arches": ["s390", "s390x"]},
        ),
        entry(
            "clone", "ALLOW", (1, "MASKED_EQ", NAMESPACES, 0), comment="other order of arguments",
            includes={"arches": ["s390", "s390x"]}, excludes={"caps": ["CAP_SYS_ADMIN"]},
        ),
        entry("clone3", "ERRNO", errnoRet=38, excludes={"caps": ["CAP_SYS_ADMIN"]}),
        entry("reboot", includes={"caps": ["CAP_SYS_BOOT"]}),
    ]  # fmt: skip
    maps = [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": None},
    ]
    return dict(oci.profile(*entries, defaultErrnoRet=1, archMap=maps))


def there_and_back(made: Imported) -> tuple[Policy, dict[str, Any], Policy]:
    """The imported policy, what it is exported as, and what that is imported as."""
    first = loads(made.text)
    exported = export_policy(first)
    assert exported.losses == ()
    again = import_profile(exported.text.encode(), "again.json", Target())
    assert again.losses == ()
    return first, json.loads(exported.text), loads(again.text)


def registers(values: list[int]) -> Iterator[tuple[int, int, int, int, int, int]]:
    for place, value in enumerate(values):
        other = values[(place * 7 + 3) % len(values)]
        yield value, other, value, other, value, other


def assert_kept(oci: Any, profile: dict[str, Any], data: bytes, caps: tuple[str, ...]) -> None:
    first, exported, again = there_and_back(import_profile(data, "p.json", Target(frozenset(caps), (6, 1))))
    for name, nr in table.NUMBERS.items():
        for args in registers(REGISTERS):
            narrow = oci.narrowed(name, args)
            expected = oci.verdict(first, nr, *args)
            assert oci.judged(profile, name, narrow, caps) == {expected}, (name, args)
            assert oci.judged(exported, name, args) == {expected}, (name, args)
            assert oci.verdict(again, nr, *args) == expected, (name, args)
    for nr in (335, 500, 1000):
        assert oci.verdict(first, nr) == oci.verdict(again, nr)


@pytest.mark.parametrize("caps", CAPS)
def test_an_engines_profile_keeps_every_verdict(oci: Any, caps: tuple[str, ...]) -> None:
    profile = engine_profile(oci)
    assert len(profile["syscalls"][0]["names"]) == 305
    assert_kept(oci, profile, json.dumps(profile).encode(), caps)


def installed() -> list[str]:
    return [
        path for path in (os.environ.get("OCI_PROFILE", ""), *WELL_KNOWN) if path and os.path.exists(path)
    ]


def test_a_container_engines_own_profile_keeps_every_verdict(oci: Any) -> None:
    found = installed()
    if not found:
        pytest.skip("no container engine's profile (set OCI_PROFILE to one)")
    for path in found:
        data = Path(path).read_bytes()
        for caps in CAPS:
            assert_kept(oci, json.loads(data), data, caps)


def test_its_import_names_what_it_must_and_no_more(oci: Any) -> None:
    losses = oci.imported(engine_profile(oci)).losses
    assert [loss.split(":")[0] for loss in losses] == [
        "SCMP_ARCH_X86",
        "SCMP_ARCH_X32",
        "no x86-64 system calls, so left out",
    ]
    assert losses[2].endswith("chown32, fcntl64, socketcall, _llseek, time64")


def test_a_second_export_is_the_first(oci: Any) -> None:
    """From there on nothing changes: the same set of comparisons for every call."""
    made = oci.imported(engine_profile(oci))
    _, exported, again = there_and_back(made)
    second = json.loads(export_policy(again).text)

    def told(profile: dict[str, Any]) -> set[str]:
        return {
            json.dumps([name, entry["action"], entry.get("errnoRet"), entry.get("args")])
            for entry in profile["syscalls"]
            for name in entry["names"]
        }

    assert told(exported) == told(second)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_policy_goes_out_and_comes_back(oci: Any, name: str) -> None:
    policy = load(name)
    profile = json.loads(export_policy(policy).text)
    back = loads(import_profile(json.dumps(profile).encode(), "back.json", Target()).text)
    ranks = {"kill": 0, "38": 1, "0": 2, "watch": 3, "allow": 4}
    for call, nr in table.NUMBERS.items():
        for args in registers(REGISTERS):
            told = oci.verdict(back, nr, *args)
            assert oci.judged(profile, call, args) == {told}
            here = oci.verdict(policy, nr, *args)
            if here.isdigit() or here in ranks:
                assert told == here, (call, args)
            else:  # an emulation, a rewrite or a value: refused instead
                assert told == "38", (call, args)


# Random profiles over calls of every kind of argument, with few numbers, so that entries often meet.
CALLS = ("read", "lseek", "socket", "dup2", "personality", "chmod", "clone", "mmap", "openat")
NUMBERS = st.sampled_from([0, 1, 2, 3, 5, 7, 8, 40, 0x7F, 0x8000, 0xFFFF, 0x8000_0000, 0xFFFF_FFFF])
LARGE = NUMBERS | st.sampled_from([B32, B32 + 1, 1 << 63, MAX64])
ACTIONS = st.sampled_from(["ALLOW", "ALLOW", "ALLOW", "ERRNO", "ERRNO5", "ERRNO0", "KILL_PROCESS", "LOG"])
OPERATORS = ("EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ")


@st.composite
def comparisons(draw: st.DrawFn, call: str) -> dict[str, Any]:
    arguments = table.arguments(table.NUMBERS[call])
    fitting = [index for index, arg in enumerate(arguments) if arg.kind != "path"]
    index = draw(st.sampled_from(fitting))
    wide = arguments[index].bits == 64
    top = 0xFFFF if arguments[index].kind == "mode" else MAX64
    number = (LARGE if wide else NUMBERS).map(lambda value: value & top)
    one = {"index": index, "op": f"SCMP_CMP_{draw(st.sampled_from(OPERATORS))}", "value": draw(number)}
    return {**one, "valueTwo": draw(number)} if draw(st.booleans()) else one


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    call, word = draw(st.sampled_from(CALLS)), draw(ACTIONS)
    action = word.rstrip("0123456789")
    entry: dict[str, Any] = {"names": [call], "action": f"SCMP_ACT_{action}"}
    if word != action:
        entry["errnoRet"] = int(word[len(action) :])
    entry["args"] = draw(st.lists(comparisons(call), max_size=3))
    return entry


@st.composite
def profiles(draw: st.DrawFn) -> dict[str, Any]:
    default = draw(st.sampled_from(["ERRNO", "ERRNO", "KILL_PROCESS", "ALLOW"]))
    return {"defaultAction": f"SCMP_ACT_{default}", "syscalls": draw(st.lists(entries(), max_size=7))}


@st.composite
def asked(draw: st.DrawFn) -> tuple[str, tuple[int, ...]]:
    edge = st.tuples(LARGE, st.sampled_from([-1, 0, 0, 1])).map(lambda pair: (pair[0] + pair[1]) & MAX64)
    return draw(st.sampled_from(CALLS)), tuple(draw(edge) for _ in range(6))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(profiles(), st.lists(asked(), min_size=8, max_size=16))
def test_any_profile_is_imported_as_it_reads(
    oci: Any, profile: dict[str, Any], calls: list[tuple[str, Any]]
) -> None:
    made = oci.imported(profile)
    policy = oci.policy(made)
    overlap = any("overlap" in loss for loss in made.losses)
    for call, args in calls:
        told = oci.judged(profile, call, oci.narrowed(call, args))
        assert oci.verdict(policy, call, *args) in told
        assert overlap or len(told) == 1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(profiles(), st.lists(asked(), min_size=8, max_size=16))
def test_any_imported_policy_comes_back(
    oci: Any, profile: dict[str, Any], calls: list[tuple[str, Any]]
) -> None:
    first = oci.policy(oci.imported(profile))
    exported = export_policy(first)
    again = loads(import_profile(exported.text.encode(), "again.json", Target()).text)
    profile = json.loads(exported.text)
    given_up = [loss for loss in exported.losses if loss.startswith("too-many-comparisons")]
    for call, args in calls:
        expected = oci.verdict(first, call, *args)
        if any(call in loss for loss in given_up):
            expected = oci.verdict(again, call, *args)
            assert expected in ("38", "kill")
        assert oci.judged(profile, call, args) == {expected}
        assert oci.verdict(again, call, *args) == expected
