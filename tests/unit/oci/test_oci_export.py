"""Policies as profiles: what each call gets there, and what is named as lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count, product
from typing import Any

import pytest

from sandbox.oci import regions
from sandbox.oci.exporter import Exported, export_policy
from sandbox.policy.load import load, loads, shipped
from sandbox.policy.model import Limits, Policy
from sandbox.syscalls import table

HEAD = 'schema = 1\nname = "t"\nunlisted = "ENOSYS"\n'
IDS = count()
B31, B32, MAX32, MAX64 = 1 << 31, 1 << 32, (1 << 32) - 1, (1 << 64) - 1


def rule(call: str, verdict: str, when: str = "", unless: str = "", **fields: str) -> str:
    lines = [f'[[rule]]\nid = "r{next(IDS)}"\ncall = "{call}"']
    lines += [f"when = {{ {when} }}"] if when else []
    lines += [f"unless = {{ {unless} }}"] if unless else []
    lines += [f'verdict = "{verdict}"'] if verdict else []
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in fields.items())]) + "\n"


def exported(text: str) -> tuple[Policy, dict[str, Any], Exported]:
    policy = loads(HEAD + text)
    made = export_policy(policy)
    return policy, json.loads(made.text), made


def edges(policy: Policy, nr: int) -> list[int]:
    """Registers on and beside every number a call's rules compare with, garbage above 32 bits included."""
    found = {0, 1, MAX32, B31, B32, 1 << 63, MAX64}
    for one in policy.rules.get(nr, ()):
        for condition in (*one.when, *one.unless):
            for value in condition.values[:6]:
                near = {value + step for step in (-1, 0, 1, B32)} | {
                    value ^ (condition.mask & -condition.mask)
                }
                found |= {number & MAX64 for number in (*near, value | ~condition.mask)}
    return sorted(found)


def calls(policy: Policy, nr: int) -> Iterator[tuple[int, ...]]:
    """Six registers each: all pairs of edges in those that are compared."""
    compared = sorted({test.index for one in policy.rules.get(nr, ()) for test in (*one.when, *one.unless)})
    values = edges(policy, nr)
    for chosen in product(values, repeat=min(len(compared), 2)):
        for odd in values[:: max(1, len(values) // 3)] if len(compared) > 2 else [0]:
            registers = dict(zip(compared, (*chosen, odd, odd), strict=False))
            yield tuple(registers.get(index, 7) for index in range(6))


EXACT: list[tuple[str, str]] = [
    ("constants", '[calls]\nallow = ["read"]\nkill = ["ptrace"]\n[calls.refuse]\nEPERM = ["mount"]\n'),
    ("returns 0", '[calls.return]\n0 = ["madvise"]\n'),
    ("as the default", '[calls.refuse]\nENOSYS = ["ptrace"]\n'),
    ("clone rule", rule("clone", "ENOSYS", unless='flags = "CLONE_VM|CLONE_VFORK|SIGCHLD"')
     + rule("clone", "EINVAL", "child_stack = 0") + rule("clone", "allow")),
    ("order counts", rule("dup2", "allow", "oldfd = 1") + rule("dup2", "EPERM", "newfd = 1")
     + rule("dup2", "kill")),
    ("the other order", rule("dup2", "EPERM", "newfd = 1") + rule("dup2", "allow", "oldfd = 1")
     + rule("dup2", "kill")),
    ("between two of one action", rule("dup2", "EPERM", "oldfd = 1")
     + rule("dup2", "allow", "newfd = { le = 2 }") + rule("dup2", "EPERM", "newfd = { ge = 0 }")
     + rule("dup2", "allow")),
    ("unless two", rule("dup2", "EPERM", unless="oldfd = 1, newfd = 2") + rule("dup2", "allow")),
    ("when and unless", rule("dup2", "EPERM", "oldfd = { le = 5 }", "newfd = { in = [1, 3] }")
     + rule("dup2", "allow")),
    ("unless a range", rule("kill", "EINVAL", unless="sig = { ge = 1, le = 31 }") + rule("kill", "allow")),
    ("signed", rule("kill", "EINVAL", "pid = { le = 0 }") + rule("kill", "allow")),
    ("signed above", rule("kill", "allow", "pid = { gt = -2 }")),
    ("signed hole", rule("wait4", "ECHILD", "pid = { le = 0, ne = -1 }") + rule("wait4", "allow")),
    ("signed 64 bits", rule("lseek", "allow", "offset = { ge = -5, lt = 5 }")),
    ("unsigned 64 bits", rule("read", "EINVAL", "count = { gt = 4096 }") + rule("read", "allow")),
    ("all but NULL", rule("brk", "allow", "addr = { ne = 0 }")),
    ("mode", rule("chmod", "EPERM", "mode = { mask = 0o6000, ne = 0 }") + rule("chmod", "allow")),
    ("masked set", rule("socket", "allow", "type = { mask = 0xf, in = [1, 2] }, domain = { ne = 40 }")),
    ("flags", rule("mmap", "EINVAL", unless='flags = { mask = "MAP_SHARED|MAP_PRIVATE", eq = "MAP_PRIVATE" }')
     + rule("mmap", "allow")),
    ("falls to calls", '[calls]\nallow = ["dup"]\n' + rule("dup", "EPERM", "oldfd = 3")),
    ("falls to unlisted", rule("dup", "allow", "oldfd = 3")),
    ("never reached", rule("dup", "allow") + rule("dup", "kill", "oldfd = 3")),
    ("returns 0 sometimes", rule("fcntl", "", "cmd = 3", **{"return": "0"}) + rule("fcntl", "allow")),
    ("three arguments", rule("fcntl", "allow", 'fd = 3, cmd = "F_SETFD", arg = { le = 1 }')),
    ("not in many", rule("ioctl", "ENOTTY", unless="request = { in = [21505, 21506, 21519, 21523] }")
     + rule("ioctl", "allow")),
    ("two calls", '[[rule]]\nid = "two"\ncall = ["dup", "dup2"]\nwhen = { oldfd = 1 }\nverdict = "allow"\n'),
]  # fmt: skip


@pytest.mark.parametrize(("text"), [case[1] for case in EXACT], ids=[case[0] for case in EXACT])
def test_a_profile_decides_as_its_policy(oci: Any, text: str) -> None:
    policy, profile, made = exported(text)
    assert made.losses == ()
    for nr in {*policy.calls, *policy.rules, 39}:
        for registers in calls(policy, nr):
            told = oci.judged(profile, table.name(nr), registers)
            assert told == {oci.verdict(policy, nr, *registers)}, (table.name(nr), registers)


def test_kill_as_the_default(oci: Any) -> None:
    policy = loads(
        'schema = 1\nname = "t"\nunlisted = "kill"\n[calls]\nallow = ["dup"]\n'
        + rule("dup2", "EPERM", "oldfd = 1")
    )
    profile = json.loads(export_policy(policy).text)
    assert (profile["defaultAction"], "defaultErrnoRet" in profile) == ("SCMP_ACT_KILL_PROCESS", False)
    assert oci.judged(profile, "dup2", (1, 0, 0, 0, 0, 0)) == {"1"}
    assert oci.judged(profile, "dup2", (2, 0, 0, 0, 0, 0)) == {"kill"}
    assert oci.judged(profile, "dup", (1, 0, 0, 0, 0, 0)) == {"allow"}


# What a profile can't say: policy text, the loss, call, and (registers, what the profile does with them).
LOST: list[tuple[str, str, str, list[tuple[tuple[int, ...], str]]]] = [
    ('[calls]\nwatch = ["getpid", "dup"]\n', "calls.watch (dup, getpid): watch: ", "dup", [((), "watch")]),
    ('[calls]\nwatch = ["getpid"]\n', "calls.watch (getpid): watch: ", "getpid", [((), "watch")]),
    (rule("dup", "watch", "oldfd = 1"), "(dup): watch: ", "dup", [((1,), "watch"), ((2,), "38")]),
    ('[calls.return]\n7 = ["getpid"]\n', "calls.return (getpid): return 7: refused", "getpid", [((), "38")]),
    (rule("dup", "", "oldfd = 1", **{"return": "9"}) + rule("dup", "allow"), "(dup): return 9: ", "dup",
     [((1,), "38"), ((2,), "allow")]),
    (rule("fstat", "", emulate='"char-device-stat"'), "emulate char-device-stat: ", "fstat",
     [((), "38")]),
    (rule("pipe2", "", 'flags = { mask = "~O_CLOEXEC", ne = 0 }', rewrite='{ flags = { mask = 0o2000000 } }')
     + rule("pipe2", "allow"), "(pipe2): rewrite: what would be rewritten is", "pipe2",
     [((0, 0), "allow"), ((0, 0o2000000), "allow"), ((0, 1), "38"), ((0, 0o2000001), "38")]),
    (rule("getrandom", "", rewrite="{ flags = 0 }"), "(getrandom): rewrite: ", "getrandom",
     [((0, 0, 0), "allow"), ((0, 0, 1), "38"), ((0, 0, B32), "38")]),
    (rule("wait4", "", "rusage = { ne = 0 }", rewrite="{ rusage = 0, options = 5 }") + rule("wait4", "allow"),
     "(wait4): rewrite: ", "wait4", [((0, 0, 0, 0), "allow"), ((0, 0, 5, 9), "38")]),
    ("[limits]\nopen-files = 64\n", "[limits]: not a matter of seccomp", "getpid", []),
    ('[environment]\nkeep = ["PATH"]\n', "[environment]: not a matter of seccomp", "getpid", []),
    ("[process]\nmax = 5\n", "[process]: not a matter of seccomp", "getpid", []),
    ("[process]\nvdso = false\n", "[process]: not a matter of seccomp", "getpid", []),
    ('[calls]\nallow = ["clone"]\n', "[process] threads = false: ", "clone", [((0x3D0F00,), "allow")]),
    (rule("clone", "allow", 'flags = { mask = "CLONE_VFORK", eq = 0 }'), "threads = false: ", "clone", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "loss", "call", "told"), LOST)
def test_what_is_lost_is_named_and_stricter(
    oci: Any, text: str, loss: str, call: str, told: list[tuple[tuple[int, ...], str]]
) -> None:
    _, profile, made = exported(text)
    assert [loss in one for one in made.losses] == [True]
    assert any(loss in line and line.startswith("Not exactly") for line in profile["comment"])
    for registers, expected in told:
        six = (*registers, *(0,) * (6 - len(registers)))
        assert oci.judged(profile, call, six) == {expected}


@pytest.mark.parametrize(
    "text",
    [
        "[process]\nthreads = true\n",
        '[process]\nthreads = true\n[calls]\nallow = ["clone"]\n',
        rule("clone", "allow", 'flags = "CLONE_VM|CLONE_VFORK|SIGCHLD"'),
        rule("clone", "allow", 'flags = { mask = "CLONE_VM|CLONE_THREAD", eq = 0 }'),
        '[[waiver]]\nname = "w"\nreason = "why"\n',
        rule("dup", "allow") + rule("dup", "watch"),
    ],
)
def test_what_is_not_lost(text: str) -> None:
    assert exported(text)[2].losses == ()


def test_a_call_that_needs_too_many_comparisons_is_always_refused(
    oci: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = rule("dup2", "allow", "oldfd = { ne = 1 }, newfd = { ne = 1 }") + rule(
        "dup2", "EPERM", "oldfd = { ne = 3 }"
    )
    assert exported(text)[2].losses == ()
    monkeypatch.setattr(regions, "LIMIT", 100)
    _, profile, made = exported(text + rule("dup", "allow", "oldfd = 1"))
    assert made.losses == ("too-many-comparisons (dup2): always refused",)
    assert oci.judged(profile, "dup2", (9, 9, 0, 0, 0, 0)) == {"38"}
    assert oci.judged(profile, "dup", (1, 9, 0, 0, 0, 0)) == {"allow"}
    _, profile, _ = exported(text + rule("dup2", "kill", "newfd = 3"))
    assert oci.judged(profile, "dup2", (9, 9, 0, 0, 0, 0)) == {"kill"}


def test_very_many_rules_are_named() -> None:
    text = "".join(rule(call, "allow", "fd = { ne = 1 }, cmd = { ne = 1 }") for call in ("fcntl",))
    text += rule("dup2", "allow", "oldfd = { ne = 1 }, newfd = { ne = 1 }")
    (loss,) = exported(text)[2].losses
    assert loss == "2048 rules with comparisons may not fit in the kernel's 4096 instructions"


def test_the_form_of_a_profile() -> None:
    text = '[calls]\nallow = ["write", "read"]\nkill = ["ptrace"]\n[calls.refuse]\nEPERM = ["mount"]\n'
    _, profile, made = exported(text + rule("read", "EIO", "fd = 3, count = { gt = 5 }", hint='"x"'))
    assert list(profile) == ["comment", "defaultAction", "defaultErrnoRet", "architectures", "syscalls"]
    assert profile["architectures"] == ["SCMP_ARCH_X86_64"]
    assert (profile["defaultAction"], profile["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    assert profile["syscalls"][0] == {
        "names": ["write"],
        "action": "SCMP_ACT_ALLOW",
        "comment": "calls.allow",
    }
    refused = profile["syscalls"][3]
    assert (refused["names"], refused["action"], refused["errnoRet"]) == (["read"], "SCMP_ACT_ERRNO", 5)
    assert refused["args"] == [
        {"index": 0, "value": MAX32, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ"},
        {"index": 2, "value": 6, "op": "SCMP_CMP_GE"},
    ]
    assert made.text.endswith("}\n")


@pytest.mark.parametrize("name", shipped())
def test_what_runtimes_ask_of_rules(name: str) -> None:
    """runc takes two comparisons of one argument as two rules; libseccomp refuses a rule for the default."""
    profile = json.loads(export_policy(load(name)).text)
    for entry in profile["syscalls"]:
        indexes = [one["index"] for one in entry.get("args", [])]
        assert len(indexes) == len(set(indexes))
        assert entry["names"]
        errno = profile.get("defaultErrnoRet")
        assert (entry["action"], entry.get("errnoRet")) != (profile["defaultAction"], errno)


def test_rules_of_one_action_may_overlap_to_be_fewer() -> None:
    text = rule("kill", "EINVAL", "pid = { le = 0 }") + rule(
        "kill", "EINVAL", unless="sig = { ge = 1, le = 31 }"
    )
    _, profile, _ = exported(text)
    assert len(profile["syscalls"]) < 40


def test_waivers_go_along() -> None:
    profile = exported('[[waiver]]\nname = "w"\nreason = "it must"\n')[1]
    assert "Waiver w: it must" in profile["comment"]


def test_a_policy_made_by_hand() -> None:
    """Not every policy comes from a file: text that no file could hold is shown safely."""
    policy = loads(HEAD)._replace(name="a\nb", description="\x1b[2J", limits=Limits(wall=1))
    profile = json.loads(export_policy(policy).text)
    assert all(line.isprintable() for line in profile["comment"])
