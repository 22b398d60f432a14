"""Values as the policy language writes them: texts, lists, and numbers of arguments by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sandbox.policy.numbers import POINTERS_TO_CONTENT, full_mask
from sandbox.syscalls import flags
from sandbox.syscalls.table import Arg

WIDTH = 110

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}

Typed = tuple[Arg, int]


def text(value: str) -> str:
    """A TOML basic string, every character that is not printable escaped."""
    return '"' + "".join(map(_character, value)) + '"'


def _character(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 1 << 16 else f"\\U{ord(char):08x}"


def key(name: str) -> str:
    """A TOML key, bare where that is possible."""
    bare = name and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else text(name)


def array(items: Iterable[str], indent: str = "") -> str:
    """A TOML array, on lines of at most `WIDTH` characters where one is not enough."""
    items = list(items)
    line = f"[{', '.join(items)}]"
    if len(line) + len(indent) + 12 <= WIDTH:
        return line
    lines = [""]
    for item in items:
        if lines[-1] and len(indent) + 4 + len(lines[-1]) + len(item) + 2 > WIDTH:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{item},"
    return "\n".join(["[", *(f"{indent}    {line}" for line in lines), f"{indent}]"])


def number(typed: Sequence[Typed], *, named: bool = True) -> str:
    """The number an argument is compared with, by name where it has one and `named` is True, as TOML.

    `typed` has it once for each call of a rule, since calls may give one argument name different types:
    what is returned stands for each of these numbers in its own type.
    """
    return _common(typed, (_named, _signed, _unsigned) if named else (_signed, _unsigned))


def mask(typed: Sequence[Typed]) -> str:
    """A mask, as `number` does; one with more bits set than clear as `~(…)` where the type has names."""
    return _common(typed, (_mask_names, _other_names, _unsigned, _other_bits))


def _common(typed: Sequence[Typed], forms: Sequence[Callable[[Arg, int], str]]) -> str:
    for form in forms:
        found = {form(arg, value) for arg, value in typed}
        if len(found) == 1 and "" not in found:
            return found.pop()
    raise ValueError("no policy file can say this of all these calls at once")


def _named(arg: Arg, value: int) -> str:
    """The quoted name of a value, '' where it has none."""
    if arg.kind in POINTERS_TO_CONTENT:
        return str(value)
    if arg.kind == "dirfd" and value == flags.CONSTANTS["AT_FDCWD"] & full_mask(arg):
        return '"AT_FDCWD"'
    if arg.kind == "signal":
        name = flags.signal_name(value)
        return text(name) if flags.signal_number(name) == value else ""
    return _names(arg, value) if arg.flags else ""


def _names(arg: Arg, value: int) -> str:
    shown = flags.format(arg.flags, value)
    return "" if shown[0].isdigit() else text(shown)


def _bit_names(arg: Arg, value: int) -> str:
    """The quoted names of the bits of a mask, '' where some have none; a whole field goes by one name."""
    known = flags.FLAG_SETS[arg.flags]
    field = known.field_mask
    whole = next((name for name, number in known.aliases.items() if number == field != 0), "")
    words = [whole] if whole and value & field == field else []
    rest = value ^ field if words else value
    if rest:
        others = _words(arg, rest)
        words = [*words, *others] if others else []
    return text("|".join(words)) if words else ""


def _words(arg: Arg, value: int) -> list[str]:
    """Names of some bits: one for each where all have one, else what covers them; [] where nothing does."""
    known = flags.FLAG_SETS[arg.flags]
    single = {number: name for name, number in (known.field | known.bits).items() if number.bit_count() == 1}
    bits = [1 << at for at in range(arg.bits) if value >> at & 1]
    if all(bit in single for bit in bits):
        return [single[bit] for bit in bits]
    words = [word for word in flags.format(arg.flags, value).split("|") if known.field.get(word) != 0]
    return [] if words[0][0].isdigit() else words


def _signed(arg: Arg, value: int) -> str:
    if arg.signed and value >> (arg.bits - 1):
        return str(value - (1 << arg.bits))
    return _unsigned(arg, value)


def _unsigned(arg: Arg, value: int) -> str:
    # TOML's integers have 64 bits with a sign; greater ones are refused by some readers, not by Python's.
    if arg.kind == "mode" and value:
        return f"0o{value:o}"
    return str(value) if value < (1 << 8 if arg.flags else 1 << 16) else hex(value)


def _mask_names(arg: Arg, value: int) -> str:
    mostly = value.bit_count() * 2 > full_mask(arg).bit_count()
    return "" if mostly or not arg.flags else _bit_names(arg, value)


def _other_names(arg: Arg, value: int) -> str:
    other = full_mask(arg) ^ value
    shown = _bit_names(arg, other) if arg.flags and other else ""
    return f'"~({shown[1:-1]})"' if shown and "0x" not in shown else ""


def _other_bits(arg: Arg, value: int) -> str:
    return f'"~{full_mask(arg) ^ value:#x}"' if arg.flags else ""
