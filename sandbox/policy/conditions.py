"""`when` and `unless` tables: tests of a call's arguments, by name and by the argument's real type."""

from __future__ import annotations

from sandbox.policy.model import Condition, Op
from sandbox.policy.numbers import (
    POINTERS_TO_CONTENT,
    argument_index,
    full_mask,
    limits,
    parse_mask,
    parse_number,
    parse_numbers,
    show,
)
from sandbox.policy.source import Table
from sandbox.policy.values import quote
from sandbox.syscalls.table import Arg

LOWER: tuple[Op, ...] = ("gt", "ge")
UPPER: tuple[Op, ...] = ("lt", "le")
OPERATORS = ("eq", "ne", "in", *LOWER, *UPPER, "mask")
FORMS = "a value, {in = […]}, {ne = …}, {ge = …, le = …}, {lt = …}, or {mask = …} with eq, ne or in"


def parse_conditions(tests: Table, nr: int) -> tuple[Condition, ...]:
    """All conditions of a `when` or `unless` table for call `nr`, in the order written.

    Raises PolicyError for an unknown argument, a value its type cannot hold, and a test that can never hold.
    """
    if not tests.data:
        raise tests.error(None, "a table without a test", "argument = value, at least once")
    found: list[Condition] = []
    for name, value in tests.data.items():
        index, arg = argument_index(tests, nr, name)
        if isinstance(value, dict):
            found += _operators(Table(tests.source, (*tests.path, name), value), index, arg)
        elif isinstance(value, list):
            raise tests.error(name, f"{name} is compared with a list", "{ in = […] } for a set of values")
        else:
            found.append(_member(index, arg, "in", (parse_number(tests, name, arg),)))
    return tuple(found)


def _member(index: int, arg: Arg, op: Op, values: tuple[int, ...], mask: int | None = None) -> Condition:
    return Condition(index, op, values, full_mask(arg) if mask is None else mask, arg.bits, arg.signed)


def _operators(test: Table, index: int, arg: Arg) -> list[Condition]:
    """The conditions of one `{operator = value, …}` table: a set, a masked set, or limits with a hole."""
    test.only("test", OPERATORS)
    sets = [word for word in ("eq", "in") if word in test.data]
    others = [word for word in ("ne", *LOWER, *UPPER) if word in test.data]
    if len(sets) + bool(others) != 1 or ("mask" in test.data and others not in ([], ["ne"])):
        raise test.error(None, f"{quote(arg.name)} needs one kind of test", FORMS)
    if arg.kind in POINTERS_TO_CONTENT and ("mask" in test.data or others not in ([], ["ne"])):
        raise test.error(None, _opaque(arg), "0, which is NULL")
    found = [_equality(test, index, arg, word) for word in (*sets, "ne") if word in test.data]
    return found + _ranges(test, index, arg)


def _opaque(arg: Arg) -> str:
    return f"{arg.name} is a pointer: what it points to can't be seen in a register"


def _equality(test: Table, index: int, arg: Arg, word: str) -> Condition:
    mask = parse_mask(test, "mask", arg) if "mask" in test.data else full_mask(arg)
    values = parse_numbers(test, "in", arg) if word == "in" else (parse_number(test, word, arg),)
    outside = [value for value in values if value & ~mask]
    if outside:
        allowed = f"values whose bits are all in the mask {mask:#x}"
        raise test.error(word, f"{arg.name} & {mask:#x} can never be {outside[0]:#x}", allowed)
    return _member(index, arg, "notin" if word == "ne" else "in", tuple(dict.fromkeys(values)), mask)


def _ranges(test: Table, index: int, arg: Arg) -> list[Condition]:
    """The conditions of lower and upper limits; none where there are none."""
    ops = [word for word in (*LOWER, *UPPER) if word in test.data]
    if ops and arg.kind == "mode":
        raise test.error(None, f"{arg.name} holds permission bits", "equality, or {mask = …, eq = …}")
    for pair in (LOWER, UPPER):
        if set(pair) <= set(ops):
            raise test.error(pair[1], f"both {pair[0]} and {pair[1]}", "one lower and one upper limit")
    values = {op: parse_number(test, op, arg) for op in ops}
    low, high = limits(arg)
    for op, value in values.items():
        number = signed(value, arg)
        low = max(low, number + (op == "gt")) if op in LOWER else low
        high = min(high, number - (op == "lt")) if op in UPPER else high
    if low > high:
        allowed = f"a range within {show(*limits(arg))}"
        raise test.error(None, f"no value of {arg.name} passes this test", allowed)
    return [_member(index, arg, op, (value,)) for op, value in values.items()]


def signed(value: int, arg: Arg) -> int:
    """The register value as the number it stands for in the argument's type."""
    return value - (1 << arg.bits) if arg.signed and value >> (arg.bits - 1) else value


def never(when: tuple[Condition, ...], unless: tuple[Condition, ...]) -> bool:
    """True where `unless` repeats tests of `when`, so that a rule with both can match no call."""
    return bool(unless) and set(unless) <= set(when)
