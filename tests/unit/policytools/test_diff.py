"""`policy diff`: what two policies decide differently, whatever they look like."""

from __future__ import annotations

import random

import pytest

from sandbox import rules
from sandbox.outcome import Allow
from sandbox.policy.load import load, loads, shipped
from sandbox.policy.model import Policy
from sandbox.policytools.boxes import Budget
from sandbox.policytools.diff import as_dict, as_text, compare
from sandbox.policytools.show import render
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, Call


def rule(id_: str, call: str, rest: str) -> str:
    return f'[[rule]]\nid = "{id_}"\ncall = "{call}"\n{rest}\n'


def told(before: str, after: str) -> list[str]:
    return list(as_text(compare(loads("schema = 1\n" + before), loads("schema = 1\n" + after))))


ALIKE = {
    "nothing": ("", ""),
    "names": ('name = "a"\ndescription = "x"\n', 'name = "b"\n'),
    "ids and hints": (rule("a", "dup", 'verdict = "EIO"\nhint = "x"'), rule("b", "dup", 'verdict = "EIO"')),
    "group or names": ('[calls]\nallow = ["@raw-io"]\n', '[calls]\nallow = ["iopl", "ioperm"]\n'),
    "rule or list": (rule("a", "dup", 'verdict = "allow"'), '[calls]\nallow = ["dup"]\n'),
    "when or unless": (
        rule("a", "dup", 'when = { oldfd = { le = 4 } }\nverdict = "EIO"'),
        rule("a", "dup", 'unless = { oldfd = { gt = 4 } }\nverdict = "EIO"'),
    ),
    "one rule or two": (
        rule("a", "dup", 'when = { oldfd = { in = [1, 2] } }\nverdict = "EIO"'),
        rule("a", "dup", 'when = { oldfd = 2 }\nverdict = "EIO"')
        + rule("b", "dup", 'when = { oldfd = 1 }\nverdict = "EIO"'),
    ),
    "order of rules apart": (
        rule("a", "dup", 'when = { oldfd = 2 }\nverdict = "EIO"')
        + rule("b", "dup", 'when = { oldfd = 1 }\nverdict = "EPERM"'),
        rule("b", "dup", 'when = { oldfd = 1 }\nverdict = "EPERM"')
        + rule("a", "dup", 'when = { oldfd = 2 }\nverdict = "EIO"'),
    ),
    "a rule that never decides": (
        rule("a", "dup", 'verdict = "EIO"'),
        rule("a", "dup", 'verdict = "EIO"') + rule("b", "dup", 'verdict = "EPERM"'),
    ),
    "a rewrite of what needs one": (
        '[calls]\nallow = ["pipe2"]\n'
        + rule("a", "pipe2", 'when = { flags = { mask = "~O_CLOEXEC", ne = 0 } }\n'
               'rewrite = { flags = { mask = "O_CLOEXEC" } }'),
        rule("a", "pipe2", 'rewrite = { flags = { mask = "O_CLOEXEC" } }'),
    ),
    "clone3 allowed or refused": ('[calls]\nallow = ["clone3"]\n', rule("a", "clone3", 'verdict = "ENOSYS"')),
    "a signal by pidfd": (
        '[calls]\nwatch = ["pidfd_send_signal"]\n', '[calls]\nallow = ["pidfd_send_signal"]\n',
    ),
    "what clone never may": (
        '[calls]\nallow = ["clone"]\n'
        + rule("a", "clone", 'when = { flags = { mask = "CLONE_UNTRACED|CLONE_PTRACE", ne = 0 } }\n'
               'verdict = "EPERM"')
        + rule("b", "clone", 'when = { flags = { mask = "CLONE_THREAD", ne = 0 } }\nunless = { flags = '
               '{ mask = "0x7e820080|CLONE_PARENT", ne = 0 } }\nverdict = "ENOSYS"'),
        '[calls]\nallow = ["clone"]\n',
    ),
    "a constant that is there": (
        rule("a", "pipe2", 'when = { flags = 0 }\nrewrite = { flags = 0 }'),
        rule("a", "pipe2", 'when = { flags = 0 }\nverdict = "allow"'),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ALIKE)
def test_alike(case: str) -> None:
    before, after = ALIKE[case]
    assert told(before, after) == []
    assert told(after, before) == []


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("", '[calls]\nallow = ["read", "dup"]\n', ["read, dup: refuse ENOSYS → allow"]),
        ('unlisted = "EPERM"\n', 'unlisted = "kill"\n',
         ["every call that is not named: refuse EPERM → kill"]),
        (
            '[calls]\nrefuse = { ENOSYS = ["dup"] }\n', "",
            ["dup: refuse ENOSYS, not recorded → refuse ENOSYS"],
        ),
        (rule("a", "dup", 'verdict = "EIO"'), rule("a", "dup", 'verdict = "watch"'),
         ["dup: refuse EIO → watch"]),
        (
            rule("a", "clone", 'unless = { flags = "CLONE_VM|CLONE_VFORK|SIGCHLD" }\nverdict = "ENOSYS"')
            + rule("b", "clone", 'when = { child_stack = 0 }\nverdict = "EINVAL"')
            + rule("c", "clone", 'verdict = "allow"'),
            rule("a", "clone", 'unless = { flags = "CLONE_VM|CLONE_VFORK|SIGCHLD" }\nverdict = "ENOSYS"')
            + rule("c", "clone", 'verdict = "allow"'),
            ["clone flags=CLONE_VM|CLONE_VFORK|SIGCHLD child_stack=0x0: refuse EINVAL → allow"],
        ),
        (
            rule("a", "dup", 'when = { oldfd = { lt = 0 } }\nverdict = "EIO"'),
            rule("a", "dup", 'when = { oldfd = { lt = -1 } }\nverdict = "EIO"'),
            ["dup oldfd=-1: refuse EIO → refuse ENOSYS"],
        ),
        (
            rule("a", "pipe2", "rewrite = { flags = 0 }"), '[calls]\nallow = ["pipe2"]\n',
            ["pipe2 flags=0x1: rewrite flags=0x0 → allow"],
        ),
        ("", '[calls]\nallow = ["clone3"]\nwatch = ["fork"]\n', ["fork: refuse ENOSYS → watch"]),
        ('unlisted = "EPERM"\n', 'unlisted = "EPERM"\n[calls]\nallow = ["pidfd_send_signal"]\n',
         ["pidfd_send_signal: refuse EPERM → refuse ENOSYS"]),
        (
            rule("a", "clone", 'when = { flags = { mask = "CLONE_THREAD", ne = 0 } }\nverdict = "allow"'),
            rule("a", "clone", 'when = { flags = { mask = "CLONE_THREAD", ne = 0 } }\nverdict = "allow"')
            + "[process]\nthreads = true\n",
            ["clone flags=CLONE_THREAD: refuse ENOSYS → allow", "process.threads: false → true"],
        ),
        ("[process]\nmax = 3\n", "", ["process.max: 3 → not set"]),
        ("[limits]\nopen-files = 3\nwall = 5\n", "[limits]\nopen-files = 4\nwall = 5\n",
         ["limits.open-files: 3 → 4"]),
        ('[environment]\nkeep = ["A"]\n', "", ["environment.keep: [A] → []"]),
        ("", '[files]\nread = ["/a"]\n', ["files.read: not set → [/a]", "files.write: not set → []",
                                         "files.exec: not set → []", "files.scratch: not set → false"]),
        ("", '[[waiver]]\nname = "bpf"\nreason = "so"\n', ["waiver.bpf: not set → so"]),
    ],
)  # fmt: skip
def test_differences(before: str, after: str, lines: list[str]) -> None:
    assert told(before, after) == lines


@pytest.mark.parametrize("name", shipped())
def test_a_policy_is_what_show_prints_of_it(name: str) -> None:
    policy = load(name)
    assert not any(compare(policy, loads(render(policy), file=policy.file)))


@pytest.mark.parametrize("pair", [("ostoo", "default"), ("default", "workspace"), ("default", "compute")])
def test_examples_are_decided_as_told_and_nothing_is_missed(pair: tuple[str, str]) -> None:
    before, after = load(pair[0]), load(pair[1])
    difference = compare(before, after)
    changed = {name for change in difference.changes for name in change.calls}
    rng = random.Random(1)
    for change in difference.changes:
        for name in change.calls:
            args = [0] * 6
            for index, arg in enumerate(table.arguments(table.NUMBERS[name])):
                args[index] = (change.args or {}).get(arg.name, 0)
            call = Call(table.NUMBERS[name], (args[0], args[1], args[2], args[3], args[4], args[5]))
            assert said(before, call) != said(after, call)
    for nr in table.NUMBERS.values():
        near = [
            value
            for policy in (before, after)
            for one in policy.rules.get(nr, ())
            for test in (*one.when, *one.unless)
            for value in test.values
        ]
        for _ in range(20):
            a, b, c, d, e, f = (rng.choice((*near, 0, 1, MASK64)) for _ in range(6))
            call = Call(nr, (a, b, c, d, e, f))
            if said(before, call) != said(after, call):
                assert table.name(nr) in changed


def said(policy: Policy, call: Call) -> object:
    """What a call gets, whatever the rule is called."""
    decision = policy.decide(call)
    decision = (isinstance(decision, Allow) and rules.refusal(policy, call)) or decision
    return type(decision), decision._replace(rule="")


def test_too_many_cases_are_a_difference() -> None:
    chain = "".join(
        rule(f"r{n}", "dup3", f'when = {{ oldfd = {n}, newfd = {n} }}\nverdict = "EIO"') for n in range(40)
    )
    before, after = loads("schema = 1\n" + chain), loads("schema = 1\n" + chain.replace("EIO", "EPERM"))
    [*_, last] = compare(before, after).changes
    assert (last.calls, last.before, last.after) == (("dup3",), None, None)
    assert list(as_text(compare(before, after)))[-1] == "dup3: too many cases to compare all of them"
    [only] = compare(before, after, Budget(each=5)).changes
    assert only.before is None


def test_json_is_the_same_in_one_object() -> None:
    before, after = (
        loads("schema = 1\n[process]\nmax = 3\n"),
        loads('schema = 1\n[calls]\nallow = ["read"]\n'),
    )
    assert as_dict(compare(before, after)) == {
        "calls": [{"calls": ("read",), "args": None, "before": "refuse ENOSYS", "after": "allow"}],
        "settings": [{"name": "process.max", "before": 3, "after": None}],
    }
