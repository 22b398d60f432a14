"""Sets of calls: each answer held against trying every value of a small domain."""

from __future__ import annotations

from itertools import product
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.outcome import Refuse
from sandbox.policy.model import Condition, Op, Rule
from sandbox.policytools.boxes import (
    EVERYTHING,
    Args,
    Box,
    Budget,
    TooManyCasesError,
    decided,
    example,
    failing,
    fixed,
    matched,
    meeting,
    undecided,
    unmatched,
    value_passing,
)
from sandbox.seccomp.table import Spans
from sandbox.syscalls.call import MASK64, Call

FIXED = settings(deadline=None, derandomize=True, max_examples=300)
# Four bits far apart, so that values lie in both words, and every combination of them.
BITS = (1, 1 << 7, 1 << 31, 1 << 40)
DOMAIN = tuple(
    sum(one for one, chosen in zip(BITS, row, strict=True) if chosen) for row in product((0, 1), repeat=4)
)
MASKS = (*BITS, 1 | 1 << 40, 1 << 7 | 1 << 31, sum(BITS), MASK64)


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    bits: Literal[32, 64] = draw(st.sampled_from((32, 64)))
    full = (1 << bits) - 1
    op: Op = draw(st.sampled_from(("in", "notin", "lt", "le", "gt", "ge")))
    index = draw(st.integers(0, 1))
    if op in ("in", "notin"):
        mask = draw(st.sampled_from(MASKS)) & full
        values = [value & mask for value in draw(st.lists(st.sampled_from(DOMAIN), min_size=1, max_size=3))]
        return Condition(index, op, tuple(values), mask, bits)
    limit = draw(st.sampled_from(DOMAIN)) & full
    return Condition(index, op, (limit,), full, bits, draw(st.booleans()))


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    when, unless = (tuple(draw(st.lists(conditions(), max_size=2))) for _ in range(2))
    return Rule("r", 0, "read", when, unless, Refuse(1, "r"))


def inside(box: Box, args: Args) -> bool:
    return all(
        any(first <= args[index] & mask <= last for first, last in found)
        for (index, mask), found in box.items()
    )


def call(args: Args) -> Call:
    return Call(0, args)


ALL: tuple[Args, ...] = tuple((a, b, 0, 0, 0, 0) for a, b in product(DOMAIN, repeat=2))


@FIXED
@given(st.lists(rules(), max_size=4))
def test_every_call_is_in_the_part_of_the_rule_that_decides_it(chain: list[Rule]) -> None:
    parts = list(decided(EVERYTHING, chain, Budget()))
    for args in ALL:
        first = next((rule for rule in chain if rule.matches(call(args))), None)
        assert [rule for box, rule in parts if inside(box, args)] == [first]


@FIXED
@given(st.lists(rules(), max_size=4))
def test_the_example_of_a_part_is_decided_by_its_rule(chain: list[Rule]) -> None:
    for box, rule in decided(EVERYTHING, chain, Budget()):
        args = example(box, Budget())
        assert inside(box, args)
        assert next((one for one in chain if one.matches(call(args))), None) == rule


@FIXED
@given(st.lists(rules(), max_size=4))
def test_undecided_finds_calls_no_rule_matches(chain: list[Rule]) -> None:
    left = undecided(EVERYTHING, chain, Budget())
    if left is None:
        assert all(any(rule.matches(call(args)) for rule in chain) for args in ALL)
    else:
        assert not any(rule.matches(call(example(left, Budget()))) for rule in chain)


@FIXED
@given(rules(), st.lists(conditions(), max_size=2))
def test_a_box_splits_into_matched_and_unmatched(rule: Rule, tests: list[Condition]) -> None:
    box = meeting(EVERYTHING, tests, Budget())
    members = [args for args in ALL if all(test.holds(call(args)) for test in tests)]
    if box is None:
        assert members == []
        return
    assert [args for args in ALL if inside(box, args)] == members
    hits, misses = matched(box, rule, Budget()), unmatched(box, rule, Budget())
    for args in members:
        assert sum(inside(one, args) for one in hits) == rule.matches(call(args))
        assert sum(inside(one, args) for one in misses) == (not rule.matches(call(args)))


@FIXED
@given(st.lists(conditions(), min_size=1, max_size=4))
def test_meeting_is_empty_where_no_call_passes(tests: list[Condition]) -> None:
    box = meeting(EVERYTHING, tests, Budget())
    passing = [args for args in ALL if all(test.holds(call(args)) for test in tests)]
    if box is None:
        assert passing == []
    else:
        assert all(test.holds(call(example(box, Budget()))) for test in tests)
    for one in failing(EVERYTHING, tests, Budget()):
        assert not all(test.holds(call(example(one, Budget()))) for test in tests)


SPANS = st.lists(st.tuples(st.integers(0, 63), st.integers(0, 9)), max_size=3).map(
    lambda pairs: tuple((low, low + more) for low, more in sorted(pairs))
)


def disjoint(found: Spans) -> Spans:
    kept: list[tuple[int, int]] = []
    for first, last in found:
        if not kept or first > kept[-1][1]:
            kept.append((first, last))
    return tuple(kept)


@FIXED
@given(st.lists(st.tuples(st.integers(1, 63), SPANS.map(disjoint)), min_size=1, max_size=3))
def test_the_least_value_that_passes(tests: list[tuple[int, Spans]]) -> None:
    passing = (
        value
        for value in range(64)
        if all(any(first <= value & mask <= last for first, last in found) for mask, found in tests)
    )
    assert value_passing(tests, Budget()) == next(passing, None)


def test_fixed_arguments() -> None:
    box = fixed({0: 5, 3: MASK64})
    assert example(box, Budget()) == (5, 0, 0, MASK64, 0, 0)
    five = Condition(0, "in", (5,), MASK64)
    assert meeting(box, [five], Budget()) is not None
    assert list(failing(box, [five], Budget())) == []


def hard() -> list[tuple[int, Spans]]:
    """Every second bit of a value must be one of many numbers, and so must its halves: there is none."""
    even = sum(1 << bit for bit in range(0, 64, 2))
    points = tuple((n * n & even | 1 << 62, n * n & even | 1 << 62) for n in range(2000))
    return [
        (even, tuple(sorted(set(points)))),
        (even | 2, tuple((one | 2, one | 2) for one, _ in sorted(set(points)))),
        (2, ((0, 0),)),
    ]


def test_a_hard_question_stays_open() -> None:
    with pytest.raises(TooManyCasesError):
        value_passing(hard(), Budget(steps=3))
    assert value_passing(hard(), Budget()) is None


def test_one_question_may_not_take_everything() -> None:
    budget = Budget(steps=100, each=3)
    for _ in range(3):
        budget.next_question()
        for _ in range(3):
            budget.spend()
        with pytest.raises(TooManyCasesError):
            budget.spend()


def test_all_questions_together_are_bounded() -> None:
    budget = Budget(steps=5, each=3)
    for _ in range(3):
        budget.spend()
    budget.next_question()
    budget.spend()
    budget.spend()
    with pytest.raises(TooManyCasesError):
        budget.spend()
