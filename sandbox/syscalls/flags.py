"""Flag names of system-call arguments: `parse` reads what a policy says, `format` writes what a log shows.

`parse(set, format(set, value)) == value` for every unsigned 64-bit value. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from sandbox.syscalls._constants import CONSTANTS as CONSTANTS
from sandbox.syscalls._flags_files import SOURCES as _FILES
from sandbox.syscalls._flags_memory import SOURCES as _MEMORY
from sandbox.syscalls._flags_process import SOURCES as _PROCESS
from sandbox.syscalls._flags_system import SOURCES as _SYSTEM
from sandbox.syscalls._flagset import EVERY_BIT, FlagSet, build
from sandbox.syscalls._signals import signal_name as signal_name
from sandbox.syscalls._signals import signal_number as signal_number
from sandbox.syscalls.table import suggest

_ALL_ONES = (0xFFFF_FFFF, EVERY_BIT)
_SHOWN = 60


class _Sets(Mapping[str, FlagSet]):
    """Flag sets by name, each built when first asked for: a run needs few of them."""

    def __init__(self) -> None:
        self._sources = _FILES | _MEMORY | _PROCESS | _SYSTEM
        self._built: dict[str, FlagSet] = {}

    def __getitem__(self, name: str) -> FlagSet:
        if name not in self._built:
            self._built[name] = build(name, self._sources[name])
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)


FLAG_SETS: Mapping[str, FlagSet] = _Sets()


def names(set_name: str) -> tuple[str, ...]:
    """Every name `parse` understands for this set, for messages and completion."""
    flags = FLAG_SETS[set_name]
    return (*flags.bits, *flags.field, *flags.aliases)


def parse(set_name: str, text: str) -> int:
    """The unsigned value of names and numbers joined by `|`, such as `CLONE_VM|CLONE_VFORK|SIGCHLD`.

    Numbers are written as in Python (`16`, `0x10`, `0o20`) and lie in 0 to 2^64-1. Raises ValueError naming
    what is unknown, and the nearest known name; also where two names give one field different values.
    """
    flags = FLAG_SETS[set_name]
    value = 0
    chosen = ""
    for word in text.split("|"):
        item = word.strip()
        named = _value_of(flags, item)
        if _says_field(flags, item):
            if chosen and (value ^ named) & flags.field_mask:
                raise ValueError(f"{chosen} and {item} exclude each other")
            chosen = item
        value |= named
    return value


def _says_field(flags: FlagSet, item: str) -> bool:
    if item in flags.field:
        return flags.field_mask != 0
    return bool(flags.aliases.get(item, 0) & flags.field_mask)


def _value_of(flags: FlagSet, item: str) -> int:
    for known in (flags.bits, flags.field, flags.aliases):
        if item in known:
            return known[item]
    number = _number(item)
    if number is None:
        raise ValueError(_unknown(flags, item))
    return number


def _number(item: str) -> int | None:
    if not (item.isascii() and item[:1].isdigit() and len(item) <= _SHOWN):
        return None
    try:
        number = int(item, 0)
    except ValueError:
        return None
    return number if number <= EVERY_BIT else None


def _unknown(flags: FlagSet, item: str) -> str:
    shown = ascii(item if len(item) <= _SHOWN else item[:_SHOWN] + "...")
    if item[:1].isdigit():
        near = octal(item)
        return f"{shown} is not a number from 0 to 2^64-1" + (f"; did you mean {near}?" if near else "")
    near = suggest(item, names(flags.name))
    return f"unknown flag {shown} for {flags.name}" + (f"; did you mean {near}?" if near else "")


def octal(item: str) -> str:
    """`0o755` for `0755`, as C and chmod(1) write it; '' for anything else."""
    digits = item.lstrip("0")
    is_octal = len(digits) < len(item) <= _SHOWN and digits and set(digits) <= set("01234567")
    return f"0o{digits}" if is_octal else ""


def format(set_name: str, value: int) -> str:  # noqa: A001  (the pair of `parse`)
    """The names in an unsigned value, joined by `|`; what has no name comes last, in hex.

    Flags come in ascending order. The enumerated field comes before them; clone's exit signal behind. All
    ones in 32 or 64 bits is shown as a number: it is a question or a mistake, never that many flags.
    """
    return _format(set_name, value)


@lru_cache(maxsize=1024)
def _format(set_name: str, value: int) -> str:
    flags = FLAG_SETS[set_name]
    in_field = value & flags.field_mask
    field = _field_name(flags, in_field)
    if value in _ALL_ONES and not (field and in_field == value):
        return hex(value)
    found, rest = _split(flags.bits, value & ~flags.field_mask)
    if field and flags.field_mask:
        found = [*found, field] if flags.field_last else [field, *found]
    else:
        rest |= in_field
    if rest:
        found.append(hex(rest))
    return "|".join(found) or field or "0"


def _field_name(flags: FlagSet, in_field: int) -> str:
    return next((name for name, value in flags.field.items() if value == in_field), "")


def _split(bits: dict[str, int], value: int) -> tuple[list[str], int]:
    """Names that make up `value`, unions before their parts, ascending; and the bits without a name."""
    chosen: list[tuple[int, str]] = []
    for name, flag in sorted(bits.items(), key=lambda item: -item[1].bit_count()):
        if flag and value & flag == flag:
            chosen.append((flag, name))
            value &= ~flag
    return [name for _, name in sorted(chosen)], value
