"""A call as somebody types it: `clone flags=CLONE_VM|SIGCHLD child_stack=0x1000`."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.errors import UsageError
from sandbox.policy.numbers import POINTERS_TO_CONTENT, allowed, number_named
from sandbox.policy.source import did_you_mean
from sandbox.policy.values import quote
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64

_LONGEST = 80


def parse_call(word: str) -> int:
    """The number of a call given by name or number (decimal or 0x…). Raises UsageError."""
    nr = table.number(word)
    if nr is None:
        nr = _integer(word)
    if nr is None:
        raise UsageError(f"unknown system call {quote(word)}{did_you_mean(word, table.NUMBERS)}")
    if not -(1 << 31) <= nr < 1 << 32:
        raise UsageError(f"call number {quote(word)} has more than 32 bits")
    return nr & 0xFFFF_FFFF


def parse_arguments(nr: int, words: Sequence[str]) -> dict[int, int]:
    """The arguments given as `name=value`, as unsigned 64-bit values by index. Raises UsageError.

    Names are those of the call, or `arg0` to `arg5`; values are numbers (a negative one is what a C program
    has in the register), names of flags, of signals, or AT_FDCWD.
    """
    found: dict[int, int] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"{quote(word)} is no argument: NAME=VALUE is needed")
        index = _index(nr, name)
        if index in found:
            raise UsageError(f"argument {quote(name)} is given twice")
        found[index] = _value(nr, index, value)
    return found


def _index(nr: int, name: str) -> int:
    names = [arg.name for arg in table.arguments(nr)]
    raw = [f"arg{index}" for index in range(6)]
    if name in names:
        return names.index(name)
    if name in raw:
        return raw.index(name)
    known = f"; it has {', '.join(names)}" if names else "; it has none"
    raise UsageError(f"{table.name(nr)} has no argument {quote(name)}{known}{did_you_mean(name, names)}")


def _value(nr: int, index: int, word: str) -> int:
    arguments = table.arguments(nr)
    arg = arguments[index] if index < len(arguments) else table.Arg(f"arg{index}", "ulong")
    number = _integer(word)
    if number is None:
        number = _named(arg, word)
    if not -(1 << 63) <= number <= MASK64:
        raise UsageError(f"{arg.name}={quote(word)} has more than 64 bits")
    return number & MASK64


def _named(arg: table.Arg, word: str) -> int:
    try:
        return number_named(arg, word)
    except ValueError as error:
        # Any pointer may be asked about, though a policy can tell only NULL apart.
        here = "a number, 0 for NULL" if arg.kind in POINTERS_TO_CONTENT else allowed(arg, word)
        raise UsageError(f"{error}; allowed here: {here}") from None


def _integer(word: str) -> int | None:
    """A number as Python writes it, with a sign or without; None for anything else."""
    digits = word.removeprefix("-")
    if not (digits[:1].isdigit() and digits.isascii() and len(word) <= _LONGEST):
        return None
    try:
        return int(word, 0)
    except ValueError:
        return None
