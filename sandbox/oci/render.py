"""Tests of arguments as a policy file writes them."""

from __future__ import annotations

import json

from sandbox.oci.cubes import blocks
from sandbox.oci.spans import Masked, Spans, Values, complement
from sandbox.policy.numbers import POINTERS_TO_CONTENT
from sandbox.syscalls import flags
from sandbox.syscalls.table import Arg

# Spans of at most this many numbers are written as these numbers.
_FEW = 3


def alternatives(values: Values, arg: Arg) -> list[str]:
    """TOML values for an argument's key in `when`, one of which holds for every number in the set."""
    if isinstance(values, Masked):
        return [_under(arg, values.mask, values.value)]
    outside = complement(values, 16 if arg.kind == "mode" else arg.bits)
    if len(outside) == 1 and outside[0][0] == outside[0][1]:
        return [f"{{ ne = {number(arg, outside[0][0])} }}"]
    if arg.kind in POINTERS_TO_CONTENT:
        return ["0"]
    few = [value for low, high in values if high - low < _FEW for value in range(low, high + 1)]
    wide = tuple((low, high) for low, high in values if high - low >= _FEW)
    return _members(arg, few) + (_modes(arg, wide) if arg.kind == "mode" else _ranges(arg, wide))


def _members(arg: Arg, few: list[int]) -> list[str]:
    if len(few) < 2:
        return [number(arg, value) for value in few]
    return [f"{{ in = [{', '.join(number(arg, value) for value in few)}] }}"]


def _modes(arg: Arg, spans: Spans) -> list[str]:
    """A mode has no order in the policy language: leading bits say the same."""
    return [_under(arg, mask, value) for low, high in spans for mask, value in blocks(low, high, 16)]


def _ranges(arg: Arg, spans: Spans) -> list[str]:
    full, half = (1 << arg.bits) - 1, 1 << (arg.bits - 1)
    if not arg.signed:
        return [_range(arg, low, high, 0, full) for low, high in spans]
    found: list[str] = []
    for low, high in spans:
        if low < half:
            found.append(_range(arg, low, min(high, half - 1), -half, half - 1))
        if high >= half:
            found.append(_range(arg, max(low, half) - full - 1, high - full - 1, -half, half - 1))
    return found


def _range(arg: Arg, low: int, high: int, least: int, greatest: int) -> str:
    limits = [f"ge = {low}"] if low > least else []
    limits += [f"le = {high}"] if high < greatest else []
    return f"{{ {', '.join(limits)} }}"


def _under(arg: Arg, mask: int, value: int) -> str:
    return f"{{ mask = {_mask(arg, mask)}, eq = {number(arg, value) if value else 0} }}"


def _mask(arg: Arg, mask: int) -> str:
    if arg.kind == "mode":
        return oct(mask)
    text = flags.format(arg.flags, mask) if arg.flags else hex(mask)
    if text[0].isdigit() or any(word[0].isdigit() for word in text.split("|")):
        return hex(mask)
    return json.dumps(text)


def number(arg: Arg, value: int) -> str:
    """A number of the argument's width as TOML: by its names where it has any."""
    text = _named(arg, value)
    if text and not text[0].isdigit():
        return json.dumps(text)
    if arg.kind == "mode":
        return oct(value)
    if arg.signed and value >> (arg.bits - 1):
        return str(value - (1 << arg.bits))
    return str(value) if value < 1 << 16 else hex(value)


def _named(arg: Arg, value: int) -> str:
    if arg.kind == "dirfd" and value == flags.CONSTANTS["AT_FDCWD"] & 0xFFFF_FFFF:
        return "AT_FDCWD"
    return flags.format(arg.flags, value) if arg.flags else ""
