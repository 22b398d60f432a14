"""A policy's rules for one call, which are asked in order, as sets of registers that do not overlap.

A seccomp profile's rules have no order that libseccomp promises, so only what matches at most one rule, or
several with one action, means the same there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sandbox.oci.cubes import EVERYTHING, Cube, blocks, intersect, subtract
from sandbox.oci.profile import Action
from sandbox.policy.model import Condition, RewriteSpec, Rule

# How many cubes a set may need before it is given up.
LIMIT = 4096


class Region(NamedTuple):
    """Which registers, argument n in bits 64n to 64n+63, an action is for, and the rule that says so."""

    cubes: list[Cube]
    action: Action
    rule: str


def apart(wanted: Iterable[Region]) -> list[Region]:
    """The same regions where the first that holds a call decides, made so that no two actions' overlap.

    Those of one action still may, which needs fewer cubes. Raises TooManyCubesError where a region needs
    more than LIMIT.
    """
    found: list[Region] = []
    for region in wanted:
        cubes = region.cubes
        for before in found:
            if before.action != region.action:
                cubes = subtract(cubes, before.cubes, LIMIT)
        if cubes:
            found.append(region._replace(cubes=cubes))
    return found


def matched(rule: Rule) -> list[Cube]:
    """The registers a rule matches. Raises TooManyCubesError where they need more than LIMIT cubes."""
    found = _all(rule.when)
    return subtract(found, _all(rule.unless), LIMIT) if rule.unless else found


def _all(conditions: Iterable[Condition]) -> list[Cube]:
    """Where all of these hold."""
    found = [EVERYTHING]
    for condition in conditions:
        found = intersect(found, _holds(condition), LIMIT)
    return found


def _holds(condition: Condition) -> list[Cube]:
    """Where one condition holds."""
    shift = 64 * condition.index
    return [(mask << shift, value << shift) for mask, value in _passing(condition)]


def _passing(condition: Condition) -> list[Cube]:
    """Which numbers in the argument's register pass."""
    if condition.op not in ("in", "notin"):
        return [cube for low, high in _spans(condition) for cube in blocks(low, high, condition.bits)]
    mask = condition.mask & ((1 << condition.bits) - 1)
    members = [(mask, value) for value in dict.fromkeys(condition.values) if not value & ~mask]
    return members if condition.op == "in" else subtract([EVERYTHING], members, LIMIT)


def _spans(condition: Condition) -> list[tuple[int, int]]:
    """The unsigned spans that pass a limit; a signed number's negative half lies above its positive one."""
    full, half = (1 << condition.bits) - 1, 1 << (condition.bits - 1)
    limit = condition.values[0]
    offset = half if condition.signed else 0
    # With the sign bit flipped, signed order is unsigned order.
    limit ^= offset
    low = limit + (condition.op == "gt") if condition.op in ("gt", "ge") else 0
    high = limit - (condition.op == "lt") if condition.op in ("lt", "le") else full
    if low > high:
        return []
    if not condition.signed or high < half or low >= half:
        return [(low ^ offset, high ^ offset)]
    return [(low ^ offset, full), (0, high ^ offset)]


def unchanged(spec: RewriteSpec) -> Cube:
    """The registers a rewrite leaves as they are."""
    mask = value = 0
    for index, keep, bits in spec.changes:
        mask |= (~keep & ((1 << 64) - 1) | bits) << 64 * index
        value |= bits << 64 * index
    return mask, value
