"""A profile's comparison of one argument, as the numbers of the argument's own width that pass it.

libseccomp compares whole registers, unsigned; the kernel reads 32 bits of an `int`, 16 of a mode. For these a
comparison is taken at the registers that hold the number and nothing above it, where both say the same.
"""

from __future__ import annotations

from typing import NamedTuple

from sandbox.oci.profile import Comparison
from sandbox.oci.spans import NONE, Spans, Values, complement, masked, whole
from sandbox.policy.numbers import POINTERS_TO_CONTENT
from sandbox.syscalls import table
from sandbox.syscalls.table import Arg

MAX64 = (1 << 64) - 1


class Passing(NamedTuple):
    """What of an argument passes.

    `narrow` is at most what the comparison lets pass and `wide` at least that; they are the same where
    `loss` is empty, which else says what the policy language has no word for.
    """

    narrow: Values
    wide: Values
    loss: str = ""


def width(arg: Arg) -> int:
    """How many bits of this argument the kernel reads."""
    return 16 if arg.kind == "mode" else arg.bits


def argument(nr: int, index: int) -> Arg | None:
    """The argument in this register; None where the call has none there."""
    arguments = table.arguments(nr)
    return arguments[index] if index < len(arguments) else None


def read(one: Comparison, nr: int) -> Passing:
    """The numbers that pass this comparison of a call's argument."""
    arg = argument(nr, one.index)
    if arg is None:
        loss = f"{table.name(nr)} has no argument {one.index}, so no rule can look at it"
        return Passing(NONE, whole(64), loss)
    bits = width(arg)
    test = _masked(one, bits) if one.op == "SCMP_CMP_MASKED_EQ" else _compared(one, arg, bits)
    return _nullable(test, arg) if arg.kind in POINTERS_TO_CONTENT else test


def _masked(one: Comparison, bits: int) -> Passing:
    # libseccomp masks the compared value too (_db_node_mask_fixup in its db.c, 2.5).
    full, value = (1 << bits) - 1, one.value_two & one.value
    low = masked(one.value & full, value & full, bits)
    if value > full:
        return Passing(
            NONE, low, f"{value:#x} does not fit in the {bits} bits the kernel reads of the argument"
        )
    return Passing(low, low)


def _compared(one: Comparison, arg: Arg, bits: int) -> Passing:
    full, value = (1 << bits) - 1, one.value
    if value <= full:
        passed = _span(one.op, value, bits)
        return Passing(passed, passed)
    if arg.signed and value >> (bits - 1) == MAX64 >> (bits - 1):
        passed = _span(one.op, value & full, bits)
        return Passing(passed, passed, f"{value:#x} is read as {value - MAX64 - 1}, the same in {bits} bits")
    loss = f"{value:#x} does not fit in the {bits} bits the kernel reads of {arg.name}"
    if one.op == "SCMP_CMP_EQ":
        return Passing(NONE, ((value & full, value & full),), loss)
    return Passing(NONE if one.op in ("SCMP_CMP_GT", "SCMP_CMP_GE") else whole(bits), whole(bits), loss)


def _span(op: str, value: int, bits: int) -> Spans:
    full = (1 << bits) - 1
    at = ((value, value),)
    below = ((0, value - 1),) if value else NONE
    match op:
        case "SCMP_CMP_EQ":
            return at
        case "SCMP_CMP_NE":
            return complement(at, bits)
        case "SCMP_CMP_LT":
            return below
        case "SCMP_CMP_LE":
            return ((0, value),)
        case "SCMP_CMP_GT":
            return complement(((0, value),), bits)
        case _:
            return ((value, full),)


def _nullable(test: Passing, arg: Arg) -> Passing:
    """Of a pointer to text a policy only asks whether it is NULL: nothing else can be known of a register."""
    null = ((0, 0),)
    if test.narrow in (NONE, null, complement(null, 64), whole(64)):
        return test
    return Passing(
        NONE, whole(64), f"{arg.name} is a pointer, of which a policy only sees whether it is NULL"
    )
