"""Cubes of registers as comparisons of arguments: one of each argument in a rule, and the fewest rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sandbox.oci.cubes import Cube, blocks
from sandbox.oci.spans import Masked, Spans, Values, complement, masked, union

MAX64 = (1 << 64) - 1


class Compared(NamedTuple):
    """One element of `args`."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which no comparison needs
    op: str
    value: int
    value_two: int = 0


Box = tuple[tuple[int, Values], ...]


def compact(cubes: Iterable[Cube]) -> list[tuple[Compared, ...]]:
    """The comparisons of each of the rules that together match these registers and no others."""
    boxes = [_box(cube) for cube in cubes]
    for index in range(6):
        groups: dict[object, list[Box]] = {}
        for box in boxes:
            rest = tuple(test for test in box if test[0] != index)
            joins = any(at == index and not isinstance(values, Masked) for at, values in box)
            groups.setdefault((rest, joins) if joins else box, []).append(box)
        boxes = [_joined(group, index) for group in groups.values()]
    return [args for box in boxes for args in _products(box)]


def _box(cube: Cube) -> Box:
    mask, value = cube
    found: list[tuple[int, Values]] = []
    for index in range(6):
        bits = mask >> 64 * index & MAX64
        if bits:
            found.append((index, masked(bits, value >> 64 * index & MAX64, 64)))
    return tuple(found)


def _joined(group: list[Box], index: int) -> Box:
    """One box for several that differ in one argument's spans only."""
    if len(group) == 1:
        return group[0]
    spans = union(span for box in group for span in _spans(box, index))
    rest = [test for test in group[0] if test[0] != index]
    limiting = [] if spans == ((0, MAX64),) else [(index, spans)]
    return tuple(sorted([*rest, *limiting], key=lambda test: test[0]))


def _spans(box: Box, index: int) -> Spans:
    values = dict(box)[index]
    assert not isinstance(values, Masked)
    return values


def _products(box: Box) -> list[tuple[Compared, ...]]:
    found: list[tuple[Compared, ...]] = [()]
    for index, values in box:
        found = [(*args, one) for args in found for one in _comparisons(index, values)]
    return found


def _comparisons(index: int, values: Values) -> list[Compared]:
    """Comparisons one of which holds for each of the numbers."""
    if isinstance(values, Masked):
        return [Compared(index, "SCMP_CMP_MASKED_EQ", values.mask, values.value)]
    outside = complement(values, 64)
    if len(outside) == 1 and outside[0][0] == outside[0][1]:
        return [Compared(index, "SCMP_CMP_NE", outside[0][0])]
    return [one for low, high in values for one in _span(index, low, high)]


def _span(index: int, low: int, high: int) -> list[Compared]:
    if low == high:
        return [Compared(index, "SCMP_CMP_EQ", low)]
    if low == 0:
        return [Compared(index, "SCMP_CMP_LE", high)]
    if high == MAX64:
        return [Compared(index, "SCMP_CMP_GE", low)]
    return [
        Compared(index, "SCMP_CMP_EQ", value)
        if mask == MAX64
        else Compared(index, "SCMP_CMP_MASKED_EQ", mask, value)
        for mask, value in blocks(low, high, 64)
    ]
