"""Sets of register contents as lists of cubes: some bits fixed, the others free.

A cube is `(mask, value)` and holds every number x with `x & mask == value`, which is exactly what
SCMP_CMP_MASKED_EQ asks of one argument. Intersections of cubes are cubes, and differences are lists of
disjoint ones, so that whatever the policy language can say of registers comes out as such comparisons.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Cube = tuple[int, int]

EVERYTHING: Cube = (0, 0)


class TooManyCubesError(Exception):
    """A set needs more cubes than the caller is ready to handle."""


def meet(one: Cube, other: Cube) -> Cube | None:
    """The numbers in both cubes; None where there are none."""
    (mask, value), (mask2, value2) = one, other
    if (value ^ value2) & mask & mask2:
        return None
    return mask | mask2, value | value2


def minus(one: Cube, other: Cube) -> list[Cube]:
    """The numbers of the first cube that are not in the second, as disjoint cubes."""
    if meet(one, other) is None:
        return [one]
    mask, value = one
    wanted, free = other[1], other[0] & ~mask
    rest: list[Cube] = []
    while free:
        bit = 1 << (free.bit_length() - 1)
        rest.append((mask | bit, value | (~wanted & bit)))
        mask, value, free = mask | bit, value | (wanted & bit), free ^ bit
    return rest


def blocks(low: int, high: int, bits: int) -> list[Cube]:
    """The numbers from `low` to `high`, looking at `bits` low bits only, as the fewest disjoint cubes."""
    full = (1 << bits) - 1
    found: list[Cube] = []
    while low <= high:
        size = low & -low or 1 << bits
        while low + size - 1 > high:
            size >>= 1
        found.append((full & -size, low))
        low += size
    return found


def intersect(left: Iterable[Cube], right: Sequence[Cube], limit: int) -> list[Cube]:
    """What is in a cube of both lists. Raises TooManyCubesError where that takes more than `limit` cubes."""
    found: list[Cube] = []
    for one in left:
        found += [both for other in right if (both := meet(one, other)) is not None]
        if len(found) > limit:
            raise TooManyCubesError
    return found


def subtract(left: Sequence[Cube], right: Iterable[Cube], limit: int) -> list[Cube]:
    """What is in the first list and not in the second. Raises TooManyCubesError as `intersect` does."""
    rest = list(left)
    for other in right:
        rest = [part for one in rest for part in minus(one, other)]
        if len(rest) > limit:
            raise TooManyCubesError
    return rest
