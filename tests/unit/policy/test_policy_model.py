"""Conditions, rules and policies as values."""

from __future__ import annotations

import pytest

from sandbox.outcome import Allow, Decision, Refuse, Rewrite
from sandbox.policy.model import Condition, Op, Policy, RewriteSpec, Rule
from sandbox.syscalls.call import MASK64, Call

MASK32 = 0xFFFF_FFFF
MINUS_ONE = MASK64
JUNK = 0xDEAD_0000_0000


def call(first: int, second: int = 0) -> Call:
    return Call(1, (first, second, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("op", "signed", "limit", "value", "holds"),
    [
        ("lt", False, 5, 4, True),
        ("lt", False, 5, 5, False),
        ("lt", False, 5, MASK32, False),
        ("lt", True, 5, MASK32, True),
        ("le", True, MASK32, MASK32, True),
        ("le", True, MASK32, 0, False),
        ("gt", False, 5, MASK32, True),
        ("gt", True, 5, MASK32, False),
        ("gt", True, MASK32, 0, True),
        ("ge", True, 0x8000_0000, 0x8000_0000, True),
        ("ge", True, 0, 0x8000_0000, False),
        ("in", True, 5, 5, True),
        ("in", False, 5, 5 | JUNK, True),
        ("in", False, 5, 4, False),
        ("notin", False, 5, 4, True),
        ("notin", False, 5, 5 | JUNK, False),
        ("lt", False, 5, 4 | JUNK, True),
    ],
)
def test_32_bit_conditions(op: Op, signed: bool, limit: int, value: int, holds: bool) -> None:
    test = Condition(0, op, (limit,), MASK32, 32, signed)
    assert test.holds(call(value)) is holds


@pytest.mark.parametrize(
    ("op", "signed", "limit", "value", "holds"),
    [
        ("in", False, 0x4111, 0x1_0000_4111, False),
        ("in", False, 0x4111, 0x4111, True),
        ("lt", True, 0, MINUS_ONE, True),
        ("lt", False, 1, MINUS_ONE, False),
        ("ge", False, 1 << 63, MINUS_ONE, True),
    ],
)
def test_64_bit_conditions(op: Op, signed: bool, limit: int, value: int, holds: bool) -> None:
    test = Condition(0, op, (limit,), MASK64, 64, signed)
    assert test.holds(call(value)) is holds


def test_a_mask_hides_the_other_bits() -> None:
    test = Condition(0, "in", (0x2,), 0x3, 64)
    assert [value for value in range(16) if test.holds(call(value))] == [2, 6, 10, 14]


def rule(*, when: tuple[Condition, ...] = (), unless: tuple[Condition, ...] = ()) -> Rule:
    return Rule("id", 1, "write", when, unless, Refuse(1, "id"))


FIRST = Condition(0, "in", (1,), MASK64)
SECOND = Condition(1, "in", (1,), MASK64)


@pytest.mark.parametrize(
    ("tested", "matching"),
    [
        (rule(), {(0, 0), (0, 1), (1, 0), (1, 1)}),
        (rule(when=(FIRST,)), {(1, 0), (1, 1)}),
        (rule(when=(FIRST, SECOND)), {(1, 1)}),
        (rule(unless=(FIRST,)), {(0, 0), (0, 1)}),
        (rule(unless=(FIRST, SECOND)), {(0, 0), (0, 1), (1, 0)}),
        (rule(when=(FIRST,), unless=(SECOND,)), {(1, 0)}),
    ],
)
def test_when_is_all_and_unless_is_not_all(tested: Rule, matching: set[tuple[int, int]]) -> None:
    assert {(a, b) for a in (0, 1) for b in (0, 1) if tested.matches(call(a, b))} == matching


@pytest.mark.parametrize(
    ("changes", "before", "decision"),
    [
        (((0, 0, 0),), 7, Rewrite(((0, 0),), "r")),
        (((0, 0, 0),), 0, Allow("r")),
        (((0, 0xF0, 0),), 0xF0, Allow("r")),
        (((0, 0xF0, 0),), 0xFF, Rewrite(((0, 0xF0),), "r")),
        (((0, 0xF0, 1),), 0xF0, Rewrite(((0, 0xF1),), "r")),
        (((0, MASK32, 0),), JUNK | 3, Rewrite(((0, 3),), "r")),
        (((0, 0, 5), (1, 0, 9)), 5, Rewrite(((1, 9),), "r")),
    ],
)
def test_a_rewrite_names_only_what_changes(
    changes: tuple[tuple[int, int, int], ...], before: int, decision: Decision
) -> None:
    found = RewriteSpec(changes, "r").apply(call(before))
    assert (type(found), found) == (type(decision), decision)


def test_rules_then_calls_then_unlisted() -> None:
    first = rule(when=(FIRST,))._replace(id="first", action=Refuse(1, "first"), hint="a hint")
    second = rule(when=(SECOND,))._replace(id="second", action=RewriteSpec(((1, 0, 0),), "second"))
    policy = Policy(
        name="p",
        description="",
        file="",
        sha256="",
        unlisted=Refuse(38, "unlisted"),
        calls={1: Allow("calls.allow")},
        rules={1: (first, second)},
    )
    assert policy.decide(call(1, 1)) == Refuse(1, "first")
    assert policy.decide(call(0, 1)) == Rewrite(((1, 0),), "second")
    assert policy.decide(call(0, 0)) == Allow("calls.allow")
    assert policy.decide(Call(2)) == Refuse(38, "unlisted")
    assert (policy.hint("first"), policy.hint("second"), policy.hint("none")) == ("a hint", "", "")
