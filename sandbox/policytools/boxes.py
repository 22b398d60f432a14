"""Sets of calls described by tests of their arguments, and whether any call is in them: exactly.

A `Box` is what several tests have in common; a rule matches a union of boxes. Arguments are independent of
each other, so a box is empty where no value of some one argument passes all tests of that argument.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sandbox.policy.model import Condition, Rule
from sandbox.seccomp.table import Spans, complement, intersect, spans
from sandbox.syscalls.call import MASK64

# A test looks at one argument through a mask; its spans are the masked values that pass.
Look = tuple[int, int]
Box = Mapping[Look, Spans]
Args = tuple[int, int, int, int, int, int]

EVERYTHING: Box = {}


class TooManyCasesError(Exception):
    """A question needs more work than anybody wants to wait for: it stays open."""


class Budget:
    """Bounds the work on questions about boxes, since a hostile policy can make them arbitrarily hard.

    `steps` bounds all questions together, `each` the one asked since `next_question`.
    """

    def __init__(self, steps: int = 2_000_000, each: int = 50_000) -> None:
        self._left = steps
        self._each = each
        self._here = each

    def next_question(self) -> None:
        """Begin another question."""
        self._here = self._each

    def spend(self) -> None:
        """Take one step. Raises TooManyCasesError where there is none left."""
        self._left -= 1
        self._here -= 1
        if self._left < 0 or self._here < 0:
            raise TooManyCasesError


def look(condition: Condition) -> Look:
    """What a condition looks at."""
    return condition.index, condition.mask & ((1 << condition.bits) - 1)


def fixed(args: Mapping[int, int]) -> Box:
    """The calls with these values of these arguments, all 64 bits of each."""
    return {(index, MASK64): ((value, value),) for index, value in args.items()}


def narrowed(box: Box, at: Look, found: Spans, budget: Budget) -> Box | None:
    """The calls of a box that also pass this test; None where there are none."""
    budget.spend()
    common = intersect(box[at], found) if at in box else found
    if not common:
        return None
    smaller = {**box, at: common}
    tests = [(mask, passing) for (index, mask), passing in smaller.items() if index == at[0]]
    return None if value_passing(tests, budget) is None else smaller


def meeting(box: Box, conditions: Iterable[Condition], budget: Budget) -> Box | None:
    """The calls of a box for which all of these conditions hold; None where there are none."""
    found: Box | None = box
    for condition in conditions:
        if found is None:
            return None
        found = narrowed(found, look(condition), spans(condition), budget)
    return found


def failing(box: Box, conditions: Sequence[Condition], budget: Budget) -> Iterator[Box]:
    """The calls of a box for which not all of these conditions hold, as boxes without a call in common."""
    for condition in conditions:
        at, found = look(condition), spans(condition)
        missed = narrowed(box, at, complement(found, at[1]), budget)
        if missed is not None:
            yield missed
        passed = narrowed(box, at, found, budget)
        if passed is None:
            return
        box = passed


def matched(box: Box, rule: Rule, budget: Budget) -> list[Box]:
    """The calls of a box that a rule matches."""
    inside = meeting(box, rule.when, budget)
    if inside is None:
        return []
    return list(failing(inside, rule.unless, budget)) if rule.unless else [inside]


def unmatched(box: Box, rule: Rule, budget: Budget) -> list[Box]:
    """The calls of a box that a rule does not match."""
    missed = list(failing(box, rule.when, budget))
    if rule.unless:
        inside = meeting(box, (*rule.when, *rule.unless), budget)
        missed += [inside] if inside is not None else []
    return missed


def decided(box: Box, rules: Sequence[Rule], budget: Budget) -> Iterator[tuple[Box, Rule | None]]:
    """Every part of a box with the rule that decides it, None where none does. No part is empty."""
    waiting = [(box, 0)]
    while waiting:
        part, place = waiting.pop()
        if place == len(rules):
            yield part, None
            continue
        hits = matched(part, rules[place], budget)
        for hit in hits:
            yield hit, rules[place]
        rest = unmatched(part, rules[place], budget) if hits else [part]
        waiting += [(one, place + 1) for one in reversed(rest)]


def undecided(box: Box, rules: Sequence[Rule], budget: Budget) -> Box | None:
    """Calls of a box that none of these rules matches; None where every call is matched."""
    waiting = [(box, 0)]
    while waiting:
        part, place = waiting.pop()
        if place == len(rules):
            return part
        rest = unmatched(part, rules[place], budget) if matched(part, rules[place], budget) else [part]
        waiting += [(one, place + 1) for one in reversed(rest)]
    return None


def example(box: Box, budget: Budget) -> Args:
    """The arguments of one call in a box that is not empty, each as small as can be."""
    values = [0] * 6
    for index in {index for index, _ in box}:
        tests = [(mask, found) for (at, mask), found in box.items() if at == index]
        values[index] = value_passing(tests, budget) or 0
    return values[0], values[1], values[2], values[3], values[4], values[5]


def value_passing(tests: Sequence[tuple[int, Spans]], budget: Budget) -> int | None:
    """The least value that passes every (mask, spans) test, None where there is none."""
    return _Search(tests, budget).value()


class _Search:
    """Decides bit after bit from the highest, 0 first, and never asks twice about equal masked beginnings."""

    def __init__(self, tests: Sequence[tuple[int, Spans]], budget: Budget) -> None:
        self.tests = tests
        self.starts = [[first for first, _ in found] for _, found in tests]
        self.budget = budget
        seen = 0
        for mask, _ in tests:
            seen |= mask
        self.bits = [1 << bit for bit in range(63, -1, -1) if seen >> bit & 1]
        self.hopeless: set[tuple[int, tuple[tuple[int, int], ...]]] = set()

    def value(self) -> int | None:
        return self._from(0, 0, tuple(range(len(self.tests))))

    def _from(self, depth: int, value: int, open_tests: tuple[int, ...]) -> int | None:
        """The least completion of a value whose first `depth` bits are chosen."""
        self.budget.spend()
        rest = sum(self.bits[depth:])  # every bit is there once, so that this is their union
        still: list[int] = []
        for test in open_tests:
            known = self._known(test, value, rest)
            if known is False:
                return None
            if known is None:
                still.append(test)
        if not still:
            return value
        beginning = (depth, tuple((test, value & self.tests[test][0]) for test in still))
        if beginning in self.hopeless:
            return None
        for bit in (0, self.bits[depth]):
            found = self._from(depth + 1, value | bit, tuple(still))
            if found is not None:
                return found
        self.hopeless.add(beginning)
        return None

    def _known(self, test: int, value: int, rest: int) -> bool | None:
        """Whether every completion passes a test, or none does; None where that depends."""
        mask, found = self.tests[test]
        low = value & mask
        high = low | (mask & rest)
        place = bisect_right(self.starts[test], high) - 1
        if place < 0 or found[place][1] < low:
            return False
        return True if found[place][0] <= low and high <= found[place][1] else None
