"""A call in words: the `args` of an audit record. Pure but for the reader of guest memory passed in."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.syscalls import flags
from sandbox.syscalls.call import Call
from sandbox.syscalls.table import Arg, arguments

AT_FDCWD = -100
_UMODE = 0xFFFF  # the kernel's umode_t has 16 bits; what lies above in the register is never read

Reader = Callable[[int], str | None]


def text(raw: bytes) -> str:
    """Guest bytes as text any encoder takes: UTF-8, every other byte as `\\xNN`. Never raises."""
    return raw.decode("utf-8", "backslashreplace")


def value(arg: Arg, raw: int) -> int:
    """What the kernel reads from a register for this argument: cut to its width, and signed or not."""
    cut = raw & ((1 << arg.bits) - 1)
    return cut - (1 << arg.bits) if arg.signed and cut >> (arg.bits - 1) else cut


def describe(call: Call, read_string: Reader) -> dict[str, str | int]:
    """The call's arguments by name, as an audit record holds them.

    Flags, signals, AT_FDCWD and modes as text, pointers as `0x…`, other numbers as decimal ints of the
    width and sign the kernel gives them. Paths and strings are what `read_string(address)` returns, or the
    pointer where it returns None; it is never asked about NULL. All text can be encoded as UTF-8.
    """
    return {
        arg.name: _show(arg, raw, read_string)
        for arg, raw in zip(arguments(call.nr), call.args, strict=False)
    }


def _show(arg: Arg, raw: int, read_string: Reader) -> str | int:
    if arg.flags:
        return flags.format(arg.flags, raw & ((1 << arg.bits) - 1))
    number = value(arg, raw)
    match arg.kind:
        case "path" | "str":
            return _string(number, read_string)
        case "ptr" | "argv":
            return hex(number)
        case "dirfd" if number == AT_FDCWD:
            return "AT_FDCWD"
        case "mode":
            return f"0o{number & _UMODE:o}"
        case "signal" if number:
            return flags.signal_name(number)
        case _:
            return number


def _string(address: int, read_string: Reader) -> str:
    found = read_string(address) if address else None
    if found is None:
        return hex(address)
    return found if found.isascii() else found.encode("utf-8", "backslashreplace").decode("utf-8")
