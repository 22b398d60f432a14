"""What an imported policy says besides its verdicts, and what an import names as lost."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from sandbox.oci.importer import Target, import_profile
from sandbox.policy.model import Process

X86 = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
LOSSES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"architectures": ["SCMP_ARCH_X86_64"]}, []),
    ({"architectures": ["SCMP_ARCH_ARM", "SCMP_ARCH_S390X"]}, []),
    ({"architectures": X86}, ["SCMP_ARCH_X86: its calls kill", "SCMP_ARCH_X32: its calls kill"]),
    ({"archMap": [{"architecture": X86[0], "subArchitectures": X86[1:2]}]}, ["SCMP_ARCH_X86: "]),
    ({"archMap": [{"architecture": X86[0], "subArchitectures": None}]}, []),
    ({"archMap": [{"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": X86}]}, []),
    ({"flags": ["SECCOMP_FILTER_FLAG_TSYNC"]}, []),
    ({"flags": ["SECCOMP_FILTER_FLAG_LOG"]}, ["SECCOMP_FILTER_FLAG_LOG: no policy sets it"]),
    ({"flags": ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]}, ["SECCOMP_FILTER_FLAG_SPEC_ALLOW: no policy"]),
    ({"listenerPath": "/run/agent.sock"}, ["listenerPath: no agent is asked"]),
    ({"listenerMetadata": "x"}, []),
    ({"new": 1, "newer\n": 2}, ["new: unknown", "'newer\\n': unknown"]),
    ({"syscalls": None}, []),
    ({"comment": "about"}, []),
    ({"syscalls": [{"names": ["uname"], "action": "SCMP_ACT_ALLOW", "arg": []}]}, ["syscalls[0].arg: unk"]),
    ({"syscalls": [{"names": ["stime", "uname", "nope\x1b"], "action": "SCMP_ACT_ALLOW"}]},
     ["no x86-64 system calls, so left out: stime, nope\\x1b"]),
    ({"syscalls": [{"names": ["stime"], "action": "SCMP_ACT_ERRNO"}]}, []),
    ({"syscalls": [{"names": ["stime"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["x86"]}}]}, []),
    ({"syscalls": [{"names": ["uname"], "action": "SCMP_ACT_LOG", "includes": {"caps": ["CAP_BPF"]}}]}, []),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "losses"), LOSSES)
def test_what_is_lost(oci: Any, fields: dict[str, Any], losses: list[str]) -> None:
    made = oci.imported({"defaultAction": "SCMP_ACT_ERRNO", **fields})
    assert len(made.losses) == len(losses)
    for loss, expected in zip(made.losses, losses, strict=True):
        assert loss.startswith(expected)
        assert loss.isprintable()
        assert f"# - {loss[:60]}" in made.text
    assert ("Not exactly as in the profile" in made.text) == bool(losses)


def test_the_whole_text_of_a_small_import(oci: Any) -> None:
    profile = oci.profile(
        oci.entry("read write", comment="basic"),
        oci.entry("clone3", "ERRNO", errnoRet=38),
        oci.entry("socket", "ALLOW", (0, "NE", 40), comment="no AF_VSOCK"),
        oci.entry("reboot", includes={"caps": ["CAP_SYS_BOOT"]}),
        oci.entry("getpid", "ERRNO", errnoRet=0),
    )
    text = oci.imported(profile).text
    assert text.endswith(
        """
schema = 1
name = "p"
description = "Imported from a seccomp profile"
unlisted = "EPERM"

[calls]
allow = [
    # syscalls[0]: basic
    "read", "write",
]

[calls.refuse]
ENOSYS = [
    # syscalls[1]
    "clone3",
]

[calls.return]
0 = [
    # syscalls[4]
    "getpid",
]

# syscalls[2]: no AF_VSOCK
[[rule]]
id = "socket-1"
call = "socket"
when = { domain = { ne = "AF_VSOCK" } }
verdict = "allow"
"""
    )
    assert "# - syscalls[3]: only with CAP_SYS_BOOT: reboot" in text


def whens(text: str) -> list[Any]:
    return [rule.get("when") for rule in tomllib.loads(text)["rule"]]


WRITTEN: list[tuple[str, list[tuple[Any, ...]], list[Any]]] = [
    ("personality", [(0, "EQ", 0), (0, "EQ", 8), (0, "EQ", 0x20000)],
     [{"persona": {"in": ["PER_LINUX", "PER_LINUX32", "PER_LINUX|UNAME26"]}}]),
    ("personality", [(0, "EQ", 0xFFFF_FFFF)], [{"persona": 0xFFFF_FFFF}]),
    ("clone", [(0, "MASKED_EQ", 0x1002_0000, 0)],
     [{"flags": {"mask": "CLONE_NEWNS|CLONE_NEWUSER", "eq": 0}}]),
    ("clone", [(0, "EQ", 0x4111)], [{"flags": "CLONE_VM|CLONE_VFORK|SIGCHLD"}]),
    ("openat", [(0, "EQ", 0xFFFF_FF9C)], [{"dirfd": "AT_FDCWD"}]),
    ("kill", [(0, "EQ", 0xFFFF_FFFF)], [{"pid": -1}]),
    ("kill", [(0, "LT", 100)], [{"pid": {"ge": 0, "le": 99}}]),
    ("kill", [(0, "GE", 100)], [{"pid": {"ge": 100}}, {"pid": {"le": -1}}]),
    ("read", [(2, "GE", 100)], [{"count": {"ge": 100}}]),
    ("read", [(2, "LT", 100), (2, "GT", 200)], [{"count": {"le": 99}}, {"count": {"ge": 201}}]),
    ("read", [(2, "LE", 1)], [{"count": {"in": [0, 1]}}]),
    ("read", [(2, "NE", 1 << 63)], [{"count": {"ne": 1 << 63}}]),
    ("chmod", [(1, "EQ", 0o644)], [{"mode": 0o644}]),
    ("chmod", [(1, "LE", 0o777)], [{"mode": {"mask": 0o177000, "eq": 0}}]),
    ("open", [(0, "NE", 0)], [{"path": {"ne": 0}}]),
    ("open", [(1, "MASKED_EQ", 3, 1)], [{"flags": {"mask": 3, "eq": "O_WRONLY"}}]),
    ("read", [(0, "LT", 5), (0, "GE", 5)], [None]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "args", "expected"), WRITTEN)
def test_how_tests_are_written(oci: Any, call: str, args: list[tuple[Any, ...]], expected: list[Any]) -> None:
    made = oci.imported(oci.profile(*(oci.entry(call, "ALLOW", arg) for arg in args)))
    assert whens(made.text) == expected


def test_remarks_can_end_no_comment(oci: Any) -> None:
    # Longer than any text that means something may be.
    remark = 'x\nverdict = "allow"\r\x1b[2J\u2028\u202e' + "y" * 5000
    entries = [
        oci.entry("uname", comment=remark),
        oci.entry("reboot", comment=remark, includes={"caps": ["C\n[calls]"]}),
        oci.entry("dup", "ALLOW", (0, "EQ", 1), comment=remark),
        oci.entry("a\n]", "ALLOW"),
    ]
    made = oci.imported(oci.profile(*entries, comment=[remark, "two\n[calls]"]))
    assert all(line.isprintable() for line in made.text.splitlines())
    assert len(made.text) < 20_000
    policy = oci.policy(made)
    assert oci.verdict(policy, "uname") == "allow"
    assert oci.verdict(policy, "reboot") == "1"


NAMES = [
    ("docker/seccomp.json", "", "seccomp"),
    ("seccomp.json", "mine", "mine"),
    ("a b.json", "", "imported"),
    (".json", "", "imported"),
    ("standard input", "", "imported"),
    ("x\ny.json", "", "imported"),
]


@pytest.mark.parametrize(("file", "name", "expected"), NAMES)
def test_the_policys_name(oci: Any, file: str, name: str, expected: str) -> None:
    made = import_profile(b'{"defaultAction": "SCMP_ACT_ERRNO"}', file, Target(), name)
    assert oci.policy(made).name == expected


def test_a_containers_configuration(oci: Any) -> None:
    profile = oci.profile(oci.entry("uname"))
    config = {"ociVersion": "1.2.0", "process": {"args": ["sh"]}, "linux": {"seccomp": profile}}
    made = oci.imported(config)
    assert oci.verdict(oci.policy(made), "uname") == "allow"
    assert made.losses == ()
    assert "# linux.seccomp.syscalls[0]" in made.text.replace("    #", "#")


def test_the_old_form_with_name(oci: Any) -> None:
    old = {"name": "uname", "action": "SCMP_ACT_ALLOW", "args": []}
    made = oci.imported(oci.profile(old, architectures=["SCMP_ARCH_X86_64"]))
    assert oci.verdict(oci.policy(made), "uname") == "allow"


def test_podmans_form(oci: Any) -> None:
    entry = {"names": ["uname"], "action": "SCMP_ACT_ERRNO", "args": [], "comment": "", "includes": {},
             "excludes": {"caps": ["CAP_SYS_ADMIN"]}, "errnoRet": 1, "errno": "EPERM"}  # fmt: skip
    made = oci.imported(oci.profile(entry, defaultErrnoRet=38, defaultErrno="ENOSYS"))
    policy = oci.policy(made)
    assert (oci.verdict(policy, "uname"), oci.verdict(policy, "dup")) == ("1", "38")
    assert made.losses == ()


@pytest.mark.parametrize(
    ("entries", "threads"),
    [
        ([], False),
        ([("clone", "ALLOW")], True),
        ([("clone", "ALLOW", (0, "EQ", 0x4111))], True),
        ([("clone", "LOG")], True),
        ([("clone", "KILL_PROCESS")], False),
        ([("fork", "ALLOW")], False),
    ],
)
def test_threads_are_left_to_clones_rules(oci: Any, entries: list[tuple[Any, ...]], threads: bool) -> None:
    policy = oci.policy(oci.imported(oci.profile(*(oci.entry(*one) for one in entries))))
    assert policy.process == Process(threads=threads)


def test_importing_is_deterministic(oci: Any) -> None:
    profile = oci.profile(*(oci.entry("read write dup", "ALLOW", (0, "EQ", value)) for value in (3, 1, 2)))
    data = json.dumps(profile).encode()
    texts = {
        import_profile(data, "p.json", Target(frozenset({"CAP_BPF", "CAP_KILL"}))).text for _ in range(3)
    }
    assert len(texts) == 1
