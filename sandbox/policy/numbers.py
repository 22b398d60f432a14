"""Numbers for a call's argument: literals and the names its type knows, as unsigned register values."""

from __future__ import annotations

from sandbox.policy.source import Table, did_you_mean, is_int
from sandbox.policy.values import quote
from sandbox.syscalls import flags, table
from sandbox.syscalls.table import Arg

# No register holds what these point to; only NULL can be told apart.
POINTERS_TO_CONTENT = frozenset({"path", "str", "argv"})


def argument_index(tests: Table, nr: int, name: str) -> tuple[int, Arg]:
    """Position and type of a call's argument. Raises PolicyError where the call has none of this name."""
    arguments = table.arguments(nr)
    for index, arg in enumerate(arguments):
        if arg.name == name:
            return index, arg
    names = tuple(arg.name for arg in arguments)
    allowed = ", ".join(names) + did_you_mean(name, names) if names else "no argument at all"
    raise tests.error(name, f"{table.name(nr)} has no argument {quote(name)}", allowed)


def full_mask(arg: Arg) -> int:
    """The bits of the register that count. The kernel's umode_t is 16 bits wide."""
    return 0xFFFF if arg.kind == "mode" else (1 << arg.bits) - 1


def limits(arg: Arg) -> tuple[int, int]:
    """The least and the greatest number of the argument's type."""
    full = full_mask(arg)
    return (-(full // 2) - 1, full // 2) if arg.signed else (0, full)


def show(low: int, high: int) -> str:
    """A range for a message, in the base its size is best read in."""
    return f"{low}..{high}" if high < 1 << 32 else f"{low}..{high:#x}"


def names_of(arg: Arg) -> str:
    """The flag set with the argument's names, '' where it has none."""
    return "mode" if arg.kind == "mode" else arg.flags


def parse_number(tests: Table, key: str, arg: Arg) -> int:
    """The value of `key` for this argument, as the unsigned number of its width. Raises PolicyError."""
    return _number(tests, key, arg, tests.data[key])


def parse_numbers(tests: Table, key: str, arg: Arg) -> tuple[int, ...]:
    """The list of values at `key`, which must not be empty. Raises PolicyError."""
    values = tests.data[key]
    if not isinstance(values, list) or not values:
        raise tests.error(key, f"{key} needs a list with at least one value", f"[{allowed(arg)}]")
    return tuple(_number(tests, key, arg, value) for value in values)


def parse_mask(tests: Table, key: str, arg: Arg) -> int:
    """A mask: a number or flag names; `~NAMES` or `~(NAMES)` is every other bit of the argument.

    Names that exclude each other as a value, such as `O_WRONLY|O_RDWR`, may stand in a mask together.
    """
    value = tests.data[key]
    if not isinstance(value, str):
        mask = _number(tests, key, arg, value)
    else:
        text = value.strip()
        names = text.removeprefix("~").strip()
        if names.startswith("(") and names.endswith(")"):
            names = names[1:-1]
        mask = 0
        for word in names.split("|"):
            mask |= _number(tests, key, arg, word.strip())
        mask = full_mask(arg) ^ mask if text.startswith("~") else mask
    if not mask:
        raise tests.error(key, "a mask of 0 looks at nothing", allowed(arg))
    return mask


def _number(tests: Table, key: str, arg: Arg, value: object) -> int:
    if isinstance(value, str):
        number = _named(tests, key, arg, value)
    elif is_int(value):
        assert isinstance(value, int)
        number = value
    else:
        raise tests.error(key, f"{arg.name} can't be {quote(value)}", allowed(arg))
    low = limits(arg)[0]
    if not low <= number <= full_mask(arg):
        raise tests.error(key, f"{arg.name} can't be {quote(number)}: it has {arg.bits} bits", allowed(arg))
    if arg.kind in POINTERS_TO_CONTENT and number:
        message = f"{arg.name} is a pointer: what it points to can't be seen in a register"
        raise tests.error(key, message, allowed(arg))
    return number & full_mask(arg)


def _named(tests: Table, key: str, arg: Arg, text: str) -> int:
    try:
        return number_named(arg, text)
    except ValueError as error:
        raise tests.error(key, str(error), allowed(arg, text)) from None


def number_named(arg: Arg, text: str) -> int:
    """The number a name stands for in this argument's type. Raises ValueError where it stands for none."""
    if arg.kind in POINTERS_TO_CONTENT:
        raise ValueError(f"{arg.name} is a pointer: the text {quote(text)} can't be seen in a register")
    if arg.kind == "dirfd" and text == "AT_FDCWD":
        return flags.CONSTANTS["AT_FDCWD"]
    number = flags.signal_number(text) if arg.kind == "signal" else None
    if number is not None:
        return number
    names = names_of(arg)
    if not names:
        found = "can't be" if text[:1].isdigit() else "has no value named"
        raise ValueError(f"{arg.name} {found} {quote(text)}")
    return flags.parse(names, text)


def allowed(arg: Arg, found: str = "") -> str:
    """What may stand for this argument, for a message about what was found there."""
    if arg.kind in POINTERS_TO_CONTENT:
        return "0, which is NULL"
    low, _ = limits(arg)
    text = f"a number in {show(low, full_mask(arg))}"
    names = names_of(arg)
    if names:  # what their reader says names the nearest one already
        return f"{text}, or names such as {', '.join(flags.names(names)[:4])}"
    if arg.kind == "signal":
        return f"{text}, or a signal such as SIGTERM{did_you_mean(found, flags.names('signal'))}"
    if arg.kind == "dirfd":
        return f"{text}, or AT_FDCWD{did_you_mean(found, ('AT_FDCWD',))}"
    near = flags.octal(found)
    return f"{text} (did you mean {near}?)" if near else text
