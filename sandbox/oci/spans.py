"""Tests of one argument as sets of numbers: spans from a least to a greatest one, or bits under a mask.

Numbers are unsigned and of the argument's own width, as the kernel reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from sandbox.oci.cubes import Cube, blocks, meet

Spans = tuple[tuple[int, int], ...]


class Masked(NamedTuple):
    """The numbers x with `x & mask == value`, where no span says the same."""

    mask: int
    value: int


Values = Spans | Masked

NONE: Spans = ()


def whole(bits: int) -> Spans:
    """Every number of this width."""
    return ((0, (1 << bits) - 1),)


def union(spans: Iterable[tuple[int, int]]) -> Spans:
    """The same numbers in ascending, disjoint spans that do not touch."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def complement(spans: Spans, bits: int) -> Spans:
    """The numbers of this width that are in none of these ascending, disjoint spans."""
    found: list[tuple[int, int]] = []
    start = 0
    for low, high in spans:
        if start < low:
            found.append((start, low - 1))
        start = high + 1
    if start < 1 << bits:
        found.append((start, (1 << bits) - 1))
    return tuple(found)


def masked(mask: int, value: int, bits: int) -> Values:
    """The numbers x of this width with `x & mask == value`, as one span where the mask is of leading bits."""
    full = (1 << bits) - 1
    free = full & ~mask
    if value & ~mask:
        return NONE
    return ((value, value | free),) if free & (free + 1) == 0 else Masked(mask, value)


def cubes(values: Values, bits: int) -> list[Cube]:
    """The numbers as disjoint cubes of this width."""
    if isinstance(values, Masked):
        return [(values.mask, values.value)]
    return [cube for low, high in values for cube in blocks(low, high, bits)]


def disjoint(one: Values, other: Values, bits: int) -> bool:
    """True where no number is in both sets."""
    if isinstance(one, Masked) or isinstance(other, Masked):
        others = cubes(other, bits)
        return all(meet(cube, second) is None for cube in cubes(one, bits) for second in others)
    merged = sorted((*one, *other))
    return all(before[1] < after[0] for before, after in pairwise(merged))
