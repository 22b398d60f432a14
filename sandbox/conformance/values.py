"""What a table writes for an argument or a result, as values. Whatever is wrong is a ValueError."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from sandbox.conformance.probe import (
    ARENA_SIZE,
    KERNEL,
    STEPS,
    UNMAPPED,
    Arg,
    Block,
    Kind,
    Place,
    arena,
    result,
    stack,
)
from sandbox.syscalls import errnos, flags, table
from sandbox.syscalls.call import MASK64

ARGUMENT = (
    'a number, flag names, "stack", "arena", "unmapped", "kernel" (each with +N or -N), "result:STEP", '
    '"result:LEVEL.STEP" (with +N or -N), "word:OFFSET", "fs:OFFSET", "handler", "restorer", "text:…", '
    "{ words = [ ] }, { texts = [ ] }, "
    '{ bytes = "…" }, { text = "…", times = N }'
)
EXPECTATION = (
    'an errno, a number, "child", "positive", { min = N, max = N }, { killed = "SIG…" }, { exit = N }, '
    "{ result = STEP, plus = N }, { any = [ ] }"
)
_BASES: dict[str, Callable[[int], Arg]] = {
    "stack": stack,
    "arena": arena,
    "unmapped": lambda offset: UNMAPPED + offset,
    "kernel": lambda offset: KERNEL + offset,
}
_BASE = re.compile(r"(stack|arena|unmapped|kernel)([+-]\w+)?")
_RESULT = re.compile(r"result:(?:(\d)\.)?(\d+)([+-]\w+)?")
_WORDS: dict[str, Kind] = {"word:": "word", "fs:": "fs"}
_FAR = 1 << 32
"""How far from a result an argument or an expectation may lie."""
_BYTES = re.compile(r"([0-9a-f]{2})(?:\*(\d+))?")


def number(text: str) -> int | None:
    """A whole number as Python writes it; None for anything else."""
    digits = text.removeprefix("-")
    if not (digits[:1].isdigit() and digits.isascii() and len(text) <= 40):
        return None
    try:
        return int(text, 0)
    except ValueError:
        return None


def argument(value: Any, arg: table.Arg | None = None) -> Arg:
    """One argument of a call; `arg` is what the call table says of it."""
    if type(value) is int:
        return _fits(value)
    if isinstance(value, str):
        return _text(value, arg)
    if isinstance(value, dict):
        return _composed(value)
    raise ValueError(f"{value!r} is no argument")


def _fits(value: int) -> int:
    if not -(1 << 63) <= value < 1 << 64:
        raise ValueError(f"{value} has more than 64 bits")
    return value


def _text(value: str, arg: table.Arg | None) -> Arg:
    known = number(value)
    if known is not None:
        return _fits(known)
    if value.startswith("text:"):
        return value[5:].encode() + b"\0"
    if value in ("handler", "restorer"):
        return Place("handler" if value == "handler" else "restorer")
    if found := _BASE.fullmatch(value):
        return _BASES[found[1]](_offset(found[2]))
    if found := _RESULT.fullmatch(value):
        return _result(found[2], int(found[1] or 0), _offset(found[3]))
    for prefix, kind in _WORDS.items():
        at = number(value.removeprefix(prefix)) if value.startswith(prefix) else None
        if at is not None and 0 <= at <= ARENA_SIZE - 4:
            return Place(kind, at)
    return _named(value, arg)


def _result(digits: str, level: int, plus: int) -> Place:
    step = number(digits)
    if step is None or step >= STEPS:
        raise ValueError(f"there is no step {digits[:40]}: a task has at most {STEPS}")
    return result(step, level, _near(plus))


def _near(plus: Any) -> int:
    if type(plus) is not int or not -_FAR <= plus <= _FAR:
        raise ValueError(f"{plus!r} is no distance from a result: a number from {-_FAR} to {_FAR}")
    return plus


def _offset(text: str | None) -> int:
    offset = number(text.removeprefix("+")) if text else 0
    if offset is None or abs(offset) > MASK64:
        raise ValueError(f"{text} is no offset of 64 bits")
    return offset


def _named(value: str, arg: table.Arg | None) -> int:
    if arg is not None and arg.kind == "signal" and (signo := flags.signal_number(value)) is not None:
        return signo
    if arg is None or not arg.flags:
        raise ValueError(f"{value!r} is no argument")
    return flags.parse(arg.flags, value)


def _composed(value: dict[str, Any]) -> Arg:
    match value:
        case {"words": [*words], **rest} if not rest:
            return Block(tuple(_word(one) for one in words))
        case {"texts": [*texts], **rest} if all(isinstance(one, str) for one in texts) and not (
            rest.keys() - {"fill"}
        ):
            texts = texts + ["x"] * _more(len(texts), rest.get("fill"))
            return Block((*(one.encode() + b"\0" for one in texts), 0))
        case {"bytes": str(text), **rest} if not rest:
            return data(text)
        case {"text": str(text), "times": int(times), **rest} if not rest and 0 < times <= ARENA_SIZE:
            if len(text) * times > ARENA_SIZE:
                raise ValueError(f"more than {ARENA_SIZE} bytes")
            return text.encode() * times + b"\0"
    raise ValueError(f"{value!r} is no argument")


def _more(count: int, fill: Any) -> int:
    """How many texts are missing to `fill`."""
    if fill is None:
        return 0
    if type(fill) is not int or not count <= fill <= ARENA_SIZE // 8:
        raise ValueError(f"fill is a number from {count} to {ARENA_SIZE // 8}")
    return fill - count


def _word(value: Any) -> int | Place | bytes:
    word = argument(value)
    if isinstance(word, Block):
        raise ValueError("words do not hold words")
    if isinstance(word, Place) and word.kind in ("result", *_WORDS.values()):
        # The prober writes them before any step is made.
        raise ValueError(f"words do not hold what a step comes to: {value}")
    return word


def data(text: str) -> bytes:
    """Bytes as pairs of hexadecimal digits with blanks between; `00*16` is sixteen zeros."""
    found = b""
    for word in text.split():
        match = _BYTES.fullmatch(word)
        if match is None or int(match[2] or 1) > ARENA_SIZE:
            raise ValueError(f"{word!r} is no byte")
        found += bytes.fromhex(match[1]) * int(match[2] or 1)
        if len(found) > ARENA_SIZE:
            raise ValueError(f"more than {ARENA_SIZE} bytes")
    return found


class Expected(NamedTuple):
    """What a call should come to; exactly one is given. `result` is the step of its own process whose result,
    with `plus` added, it should equal; `any` lists what else will do."""

    value: int | None = None
    low: int | None = None
    high: int = (1 << 63) - 1
    child: bool = False
    killed: str = ""
    exit: int | None = None
    result: int | None = None
    plus: int = 0
    any: tuple[Expected, ...] = ()

    def each(self) -> Iterator[Expected]:
        """All that will do: itself, or each of `any`."""
        if not self.any:
            yield self
        for one in self.any:
            yield from one.each()

    @property
    def may_be_child(self) -> bool:
        """Whether a child will do."""
        return any(one.child for one in self.each())

    @property
    def may_end(self) -> bool:
        """Whether it will do that the process ends."""
        return any(one.killed or one.exit is not None for one in self.each())

    @property
    def is_error(self) -> bool:
        """Whether an errno is expected."""
        return self.value is not None and -4096 < self.value < 0

    def words(self) -> str:
        """For a person."""
        if self.any:
            return " or ".join(one.words() for one in self.any)
        if self.value is not None:
            return errnos.errno_name(-self.value) if self.is_error else str(self.value)
        if self.killed:
            return f"killed by {self.killed}"
        if self.exit is not None:
            return f"exit {self.exit}"
        if self.result is not None:
            return f"what step {self.result} answered" + (f", and {self.plus} more" if self.plus else "")
        if self.child:
            return "a child"
        return f"at least {self.low}" if self.high == (1 << 63) - 1 else f"{self.low} to {self.high}"


def expected(value: Any) -> Expected:
    """What a row expects of a call."""
    match value:
        case int() if type(value) is int:
            return Expected(value=value)
        case "child":
            return Expected(child=True)
        case "positive":
            return Expected(low=1)
        case str():
            if value in errnos.NUMBERS:
                return Expected(value=-errnos.NUMBERS[value])
        case {"killed": str(name), **rest} if not rest and name in signal.Signals.__members__:
            return Expected(killed=name)
        case {"exit": int(status), **rest} if not rest and type(status) is int and 0 <= status < 256:
            return Expected(exit=status)
        case {"result": int(step), **rest} if not rest.keys() - {"plus"} and type(step) is int and step >= 0:
            return Expected(result=step, plus=_near(rest.get("plus", 0)))
        case {"min": int(low), **rest} if not rest.keys() - {"max"} and type(low) is int:
            high = rest.get("max", (1 << 63) - 1)
            if type(high) is int and low <= high:
                return Expected(low=low, high=high)
        case {"any": [*others], **rest} if not rest and others:
            return Expected(any=tuple(expected(one) for one in others))
    raise ValueError(f"{value!r} is no expectation")


class Ending(NamedTuple):
    """How a child should end: with an exit status, or by a signal."""

    exit: int | None = None
    signal: str = ""


def ending(value: Any) -> Ending:
    """`exit 3` or `SIGKILL`."""
    if not isinstance(value, str):
        raise ValueError("the end of a process is a text")
    word, _, status = value.partition(" ")
    if word == "exit" and (code := number(status)) is not None and 0 <= code < 256:
        return Ending(exit=code)
    if value in signal.Signals.__members__:
        return Ending(signal=value)
    raise ValueError(f"{value!r} is no end of a process")


class Choice(NamedTuple):
    """One of the values a row is repeated with: what is added to the row's id, and the value."""

    word: str
    value: Any


def choices(value: Any) -> Sequence[Choice] | None:
    """The values of `{ each = [ ] }`, `{ from = A, to = B, except = [ ] }` and `{ flip = N }`; None for any
    other value."""
    match value:
        case {"each": [*values], **rest} if not rest and values:
            return [Choice(_short(one), one) for one in values]
        case {"from": int(low), "to": int(high), **rest} if not rest.keys() - {"except"}:
            left_out = rest.get("except", [])
            if not isinstance(left_out, list):
                raise ValueError("except is a list of numbers")
            if not 0 <= high - low <= 4096:
                raise ValueError("from and to span 0 to 4096 numbers")
            return [Choice(str(one), one) for one in range(low, high + 1) if one not in left_out]
        case {"flip": value, **rest} if not rest:
            whole = argument(value)
            if not isinstance(whole, int):
                raise ValueError("only the bits of a number can be flipped")
            return [Choice(f"bit-{bit}", (whole & MASK64) ^ 1 << bit) for bit in range(64)]
    return None


def _short(value: Any) -> str:
    text = " ".join(map(str, value.values())) if isinstance(value, dict) else str(value).removeprefix("text:")
    word = re.sub(r"[^\w|+.-]+", "-", re.sub(r"^-(?=\d)", "minus ", text)).strip("-")
    return word[:40] or "empty"
