"""The form of a flag set: frozen values, and the short text the data files keep them in."""

from __future__ import annotations

from typing import NamedTuple

from sandbox.syscalls import _signals

EVERY_BIT = 0xFFFF_FFFF_FFFF_FFFF


class FlagSet(NamedTuple):
    """The names an argument's value is made of.

    `bits` are independent flags and unions of them; `field` enumerates the values of the bits in `field_mask`
    (all 64 for a plain enumeration). A `field` name of value 0 with an empty mask stands for "no flag".
    `aliases` are understood and never printed as a value; the name of the field's mask is one. `field_last`
    puts the field behind the flags in print. Values are unsigned.
    """

    name: str
    bits: dict[str, int]
    field_mask: int = 0
    field: dict[str, int] = {}
    aliases: dict[str, int] = {}
    field_last: bool = False


class Source(NamedTuple):
    """A flag set as text: `NAME=value` parted by spaces; `@signals` stands for the signals."""

    bits: str = ""
    mask: int = 0
    field: str = ""
    aliases: str = ""
    last: bool = False


def build(name: str, source: Source) -> FlagSet:
    """The flag set a source describes."""
    aliases = _pairs(source.aliases)
    if source.field == "@signals":
        field, aliases = _signals.SIGNALS, aliases | _signals.ALIASES
    else:
        field = _pairs(source.field)
    return FlagSet(name, _pairs(source.bits), source.mask, field, aliases, source.last)


def _pairs(text: str) -> dict[str, int]:
    halves = (item.partition("=") for item in text.split())
    return {name: int(value, 0) for name, _, value in halves}
