"""The exact instructions of each feature, pinned once, as the listing shows them."""

from __future__ import annotations

from typing import Literal

import pytest

from sandbox.outcome import Allow, Decision, Refuse
from sandbox.policy.model import Condition, Op, Policy, Rule
from sandbox.seccomp.bpf import Insn, Program
from sandbox.seccomp.compile import compile_policy
from sandbox.seccomp.listing import listing

M64 = 0xFFFF_FFFF_FFFF_FFFF
NONE: frozenset[int] = frozenset()
OK = Allow("calls")


def quiet(errno: int) -> Refuse:
    return Refuse(errno, "r", recorded=False)


def arg(
    index: int, op: Op, *values: int, mask: int = M64, bits: Literal[32, 64] = 64, signed: bool = False
) -> Condition:
    return Condition(index, op, values, mask & ((1 << bits) - 1), bits, signed)


def rule(action: Decision, *when: Condition, unless: tuple[Condition, ...] = ()) -> Rule:
    return Rule("r", 56, "clone", when, unless, action)


def policy(calls: dict[int, Decision], *rules: Rule) -> Policy:
    return Policy("t", "", "", "", quiet(38), calls, {56: rules} if rules else {})


def lines(program: Program) -> list[str]:
    """The listing without line numbers and notes; jumps name lines counted from 0."""
    return [" ".join(line.partition(";")[0].split()[1:]) for line in listing(program).splitlines()]


def test_numbers_only() -> None:
    program = compile_policy(policy({1: OK}), NONE)
    assert lines(program) == [
        "ld arch",
        "jeq 0xc000003e yes 2, no 6",
        "ld nr",
        "jeq 0x1 yes 7, no 4",
        "jge 0x40000000 yes 5, no 8",
        "jge 0x80000000 yes 8, no 6",
        "ret KILL_PROCESS",
        "ret ALLOW",
        "ret ERRNO(ENOSYS)",
    ]


def test_neighbouring_numbers_with_one_answer_are_one_range() -> None:
    program = compile_policy(policy({1: OK, 2: OK, 3: OK, 5: quiet(5)}), NONE)
    assert lines(program)[3:9] == [
        "jge 0x5 yes 6, no 4",
        "jge 0x1 yes 5, no 12",
        "jeq 0x4 yes 12, no 11",
        "jge 0x40000000 yes 8, no 7",
        "jeq 0x5 yes 10, no 12",
        "jge 0x80000000 yes 12, no 9",
    ]


ARGUMENTS: list[tuple[str, tuple[Rule, ...], list[str]]] = [
    (
        "32 bits look at the low word only",
        (rule(quiet(1), arg(0, "in", 5, bits=32)),),
        ["ld args[0].low", "jeq 0x5 yes 9, no 10", "ret ERRNO(EPERM)", "ret ALLOW"],
    ),
    (
        "64 bits look at both words",
        (rule(quiet(1), arg(1, "in", 0x1_0000_0005)),),
        [
            "ld args[1].high",
            "jeq 0x1 yes 9, no 12",
            "ld args[1].low",
            "jeq 0x5 yes 11, no 12",
            "ret ERRNO(EPERM)",
            "ret ALLOW",
        ],
    ),
    (
        "unless, then a second rule",
        (rule(quiet(38), unless=(arg(0, "in", 0x4111),)), rule(quiet(22), arg(1, "in", 0))),
        [
            "ld args[0].high",
            "jeq 0x0 yes 9, no 17",
            "ld args[0].low",
            "jeq 0x4111 yes 11, no 17",
            "ld args[1].high",
            "jeq 0x0 yes 13, no 16",
            "ld args[1].low",
            "jeq 0x0 yes 15, no 16",
            "ret ERRNO(EINVAL)",
            "ret ALLOW",
            "ret ERRNO(ENOSYS)",
        ],
    ),
    (
        "a bit in one half leaves the other half alone",
        (rule(quiet(1), arg(2, "in", 1 << 40, mask=1 << 40)),),
        ["ld args[2].high", "jset 0x100 yes 9, no 10", "ret ERRNO(EPERM)", "ret ALLOW"],
    ),
    (
        "no bit of several",
        (rule(quiet(1), arg(2, "in", 0, mask=0x6, bits=32)),),
        ["ld args[2].low", "jset 0x6 yes 10, no 9", "ret ERRNO(EPERM)", "ret ALLOW"],
    ),
    (
        "all bits of several",
        (rule(quiet(1), arg(2, "in", 6, mask=0x6, bits=32)),),
        ["ld args[2].low", "and 0x6", "jeq 0x6 yes 10, no 11", "ret ERRNO(EPERM)", "ret ALLOW"],
    ),
    (
        "signed: below zero is the upper half",
        (rule(quiet(1), arg(0, "lt", 0, bits=32, signed=True)),),
        ["ld args[0].low", "jge 0x80000000 yes 9, no 10", "ret ERRNO(EPERM)", "ret ALLOW"],
    ),
    (
        "two limits on one argument are one range",
        (rule(quiet(1), arg(0, "ge", 3, bits=32), arg(0, "le", 9, bits=32)),),
        ["ld args[0].low", "jge 0x3 yes 9, no 11", "jge 0xa yes 11, no 10", "ret ERRNO(EPERM)", "ret ALLOW"],
    ),
    (
        "64-bit order",
        (rule(quiet(1), arg(0, "lt", 5 << 32 | 7)),),
        [
            "ld args[0].high",
            "jge 0x5 yes 9, no 12",
            "jeq 0x5 yes 10, no 13",
            "ld args[0].low",
            "jge 0x7 yes 13, no 12",
            "ret ERRNO(EPERM)",
            "ret ALLOW",
        ],
    ),
    (
        "a set is searched, its neighbours as ranges",
        (rule(quiet(1), arg(0, "in", 1, 2, 3, 9, 20, 30, bits=32)),),
        [
            "ld args[0].low",
            "jge 0xa yes 12, no 9",
            "jge 0x4 yes 11, no 10",
            "jeq 0x0 yes 15, no 14",
            "jeq 0x9 yes 14, no 15",
            "jeq 0x14 yes 14, no 13",
            "jeq 0x1e yes 14, no 15",
            "ret ERRNO(EPERM)",
            "ret ALLOW",
        ],
    ),
    (
        "rules on one argument are one search, and it is loaded once",
        (
            rule(quiet(1), arg(0, "in", 1, bits=32)),
            rule(quiet(2), arg(0, "in", 2, bits=32)),
            rule(quiet(3), arg(0, "in", 9, bits=32), arg(1, "in", 4, bits=32)),
        ),
        [
            "ld args[0].low",
            "jge 0x2 yes 10, no 9",
            "jeq 0x0 yes 13, no 11",
            "jeq 0x2 yes 12, no 13",
            "ret ERRNO(EPERM)",
            "ret ERRNO(ENOENT)",
            "jeq 0x9 yes 14, no 17",
            "ld args[1].low",
            "jeq 0x4 yes 16, no 17",
            "ret ERRNO(ESRCH)",
            "ret ALLOW",
        ],
    ),
    (
        "a rule without conditions ends the chain",
        (rule(quiet(1), arg(0, "in", 1, bits=32)), rule(quiet(2)), rule(quiet(3), arg(0, "in", 2))),
        ["ld args[0].low", "jeq 0x1 yes 9, no 10", "ret ERRNO(EPERM)", "ret ERRNO(ENOENT)"],
    ),
]


@pytest.mark.parametrize(("rules", "text"), [row[1:] for row in ARGUMENTS], ids=[row[0] for row in ARGUMENTS])
def test_arguments(rules: tuple[Rule, ...], text: list[str]) -> None:
    program = lines(compile_policy(policy({56: OK}, *rules), NONE))
    assert program[3] == "jeq 0x38 yes 7, no 4"
    tail = program[7:]
    assert tail[: len(text)] == text
    assert tail[len(text) :] in ([], ["ret ERRNO(ENOSYS)"])


@pytest.mark.parametrize(
    "rules",
    [
        (rule(quiet(1), arg(0, "in")),),
        (rule(quiet(1), arg(0, "lt", 0)),),
        (rule(quiet(1), unless=(arg(0, "ge", 0),)),),
        (rule(quiet(1), unless=(arg(0, "in", 0, 1, 4, 5, mask=5),)),),
        (rule(OK, arg(0, "in", 5)),),
        (rule(quiet(1), arg(0, "gt", 9), arg(0, "lt", 9)), rule(OK, arg(1, "in", 5))),
    ],
)
def test_rules_that_change_nothing_leave_no_trace(rules: tuple[Rule, ...]) -> None:
    assert compile_policy(policy({56: OK}, *rules), NONE) == compile_policy(policy({56: OK}), NONE)


def test_calls_with_equal_rules_share_their_code() -> None:
    rules = (rule(quiet(1), arg(0, "in", 5)),)
    one = Policy("t", "", "", "", quiet(38), {56: OK, 57: OK}, {56: rules, 57: rules})
    program = compile_policy(one, NONE)
    assert lines(program).count("ld args[0].low") == 1
    assert "clone, fork: flags low word" in program.notes


def test_listing_shows_numbers_targets_and_notes() -> None:
    program = compile_policy(policy({56: OK}, rule(quiet(1), arg(0, "in", 5))), NONE)
    text = listing(program).splitlines()
    assert text[1].split(";")[1].strip() == "architecture: x86-64"
    assert text[3] == "   3  jeq   0x38                 yes 7, no 4        ; clone (56)"
    assert text[9] == "   9  ld    args[0].low                             ; clone: flags low word"
    assert text[-1] == "  13  ret   ERRNO(ENOSYS)"


@pytest.mark.parametrize(
    ("insn", "text"),
    [
        (Insn(0x05, 0, 0, 7), "0 ja to 8"),
        (Insn(0x54, 0, 0, 0xF0), "0 and 0xf0"),
        (Insn(0x25, 1, 2, 5), "0 jgt 0x5 yes 2, no 3"),
        (Insn(0x20, 0, 0, 8), "0 ld ip.low"),
        (Insn(0x20, 0, 0, 60), "0 ld args[5].high"),
        (Insn(0x20, 0, 0, 99), "0 ld [99]"),
        (Insn(0xA4, 1, 2, 3), "0 0xa4 0x3 jt=1 jf=2"),
    ],
)
def test_listing_of_single_instructions(insn: Insn, text: str) -> None:
    assert " ".join(listing(Program((insn,), ("",))).split()) == text
