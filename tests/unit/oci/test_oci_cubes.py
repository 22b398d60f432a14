"""Cubes and spans, every number of a small width looked at."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.oci import cubes, spans
from sandbox.oci.compact import compact
from sandbox.oci.cubes import Cube

BITS = 5
NUMBERS = range(1 << BITS)
CUBES = st.tuples(st.integers(0, 31), st.integers(0, 31)).map(lambda pair: (pair[0], pair[0] & pair[1]))
SPAN = st.tuples(st.integers(0, 31), st.integers(0, 31)).map(lambda pair: (min(pair), max(pair)))
SPANS = st.lists(SPAN, max_size=4).map(spans.union)
MASKED = CUBES.map(lambda cube: spans.masked(*cube, BITS))


def held(found: list[Cube]) -> list[int]:
    return sorted(number for number in NUMBERS for mask, value in found if number & mask == value)


def members(values: spans.Values) -> set[int]:
    if isinstance(values, spans.Masked):
        return {number for number in NUMBERS if number & values.mask == values.value}
    return {number for low, high in values for number in range(low, high + 1)}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(CUBES, CUBES)
def test_meet_and_minus_part_a_cube(one: Cube, other: Cube) -> None:
    both = cubes.meet(one, other)
    inside = held([both]) if both else []
    rest = held(cubes.minus(one, other))
    assert inside == sorted(set(held([one])) & set(held([other])))
    assert sorted(inside + rest) == held([one])  # nothing lost, nothing twice


@pytest.mark.parametrize(("low", "high"), [(a, b) for a, b in product(NUMBERS, NUMBERS) if a <= b])
def test_blocks_are_the_span_each_number_once(low: int, high: int) -> None:
    found = cubes.blocks(low, high, BITS)
    assert held(found) == list(range(low, high + 1))
    assert len(found) <= 2 * BITS - 2 or (low, high) == (0, 31)


def test_blocks_look_at_the_low_bits_only() -> None:
    assert cubes.blocks(0, (1 << 32) - 1, 32) == [(0, 0)]
    assert cubes.blocks(40, 40, 32) == [(0xFFFF_FFFF, 40)]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(CUBES, max_size=4), st.lists(CUBES, max_size=4))
def test_lists_of_cubes(left: list[Cube], right: list[Cube]) -> None:
    met = set(held(cubes.intersect(left, right, 1000)))
    assert met == set(held(left)) & set(held(right))
    assert set(held(cubes.subtract(left, right, 1000))) == set(held(left)) - set(held(right))


def test_a_set_of_too_many_cubes_is_given_up() -> None:
    left = [(0xF << 4, number << 4) for number in range(16)]
    with pytest.raises(cubes.TooManyCubesError):
        cubes.intersect(left, [(0xF, 1), (0xF, 2)], 31)
    with pytest.raises(cubes.TooManyCubesError):
        cubes.subtract([(0, 0)], [(0xFF, 0)], 7)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(SPAN, max_size=5))
def test_union_and_complement_of_spans(pairs: list[tuple[int, int]]) -> None:
    joined = spans.union(pairs)
    everything = {number for low, high in pairs for number in range(low, high + 1)}
    assert members(joined) == everything
    assert all(before[1] + 1 < after[0] for before, after in pairwise(joined))
    assert members(spans.complement(joined, BITS)) == set(NUMBERS) - everything


@settings(max_examples=300, deadline=None, derandomize=True)
@given(SPANS | MASKED, SPANS | MASKED)
def test_sets_are_disjoint_where_no_number_is_in_both(one: spans.Values, other: spans.Values) -> None:
    assert spans.disjoint(one, other, BITS) == (not members(one) & members(other))
    assert held(spans.cubes(one, BITS)) == sorted(members(one))


@pytest.mark.parametrize(
    ("mask", "value", "same"),
    [
        (0, 0, ((0, 31),)),
        (0b11111, 7, ((7, 7),)),
        (0b11100, 0b01100, ((12, 15),)),
        (0b00111, 0b00001, spans.Masked(7, 1)),
        (0b00110, 0b00001, ()),
    ],
)
def test_leading_bits_are_a_span(mask: int, value: int, same: spans.Values) -> None:
    assert spans.masked(mask, value, BITS) == same


TOP = 1 << 64


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, TOP - 1, [()]),
        (5, 5, [("EQ", 5)]),
        (0, 5, [("LE", 5)]),
        (9, TOP - 1, [("GE", 9)]),
        (8, 15, [("MASKED_EQ", TOP - 8, 8)]),
        (7, 8, [("EQ", 7), ("EQ", 8)]),
    ],
)
def test_a_span_of_registers_as_comparisons(low: int, high: int, expected: list[tuple[object, ...]]) -> None:
    found = compact(cubes.blocks(low, high, 64))
    told = [
        tuple((one.op.removeprefix("SCMP_CMP_"), one.value, one.value_two) for one in args) for args in found
    ]
    assert told == [((*one, 0, 0)[:3],) if one else () for one in expected]


def test_all_but_one_register_is_one_comparison() -> None:
    ((one,),) = compact(cubes.minus((0, 0), (TOP - 1 << 64, 77 << 64)))
    assert (one.index, one.op, one.value) == (1, "SCMP_CMP_NE", 77)


def test_two_registers_are_compared_in_one_rule() -> None:
    both = cubes.meet((TOP - 1, 3), (0xFF << 128, 7 << 128))
    assert both is not None
    ((first, second),) = compact([both])
    assert (first.index, first.op, first.value) == (0, "SCMP_CMP_EQ", 3)
    assert (second.index, second.value, second.value_two) == (2, 0xFF, 7)


def test_all_registers_are_no_comparison() -> None:
    halves = [*cubes.blocks(0, 5, 64), *cubes.blocks(6, TOP - 1, 64)]
    assert compact(halves) == [()]
    (one,) = compact([both for cube in halves if (both := cubes.meet(cube, (0xF << 64, 3 << 64)))])
    assert [test.index for test in one] == [1]
