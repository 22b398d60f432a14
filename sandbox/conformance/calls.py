"""One call as a table writes it, for each of the values it is to be made with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, TypeVar

from sandbox.conformance import values
from sandbox.conformance.probe import Arg, Entry, Step
from sandbox.conformance.values import Choice
from sandbox.errors import UsageError
from sandbox.policy.lines import Path
from sandbox.policy.source import Table
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64

T = TypeVar("T")

CALL_KEYS = ("call", "nr", "rax", "entry", "args")


class CallReader:
    """The call a row or a step makes, for each of the values it is to be made with."""

    def __init__(self, one: Table, *, several: bool = True) -> None:
        self.one = one
        self.several = several
        given = [key for key in ("call", "nr", "rax") if key in one.data]
        if len(given) != 1:
            raise one.error(None, "which call is it?", 'exactly one of call = "name", nr = N, rax = N')
        self.key = given[0]
        entry = one.choice("entry", ("syscall", "int80")) if "entry" in one.data else "syscall"
        self.entry: Entry = "int80" if entry == "int80" else "syscall"

    def steps(self) -> Iterator[tuple[str, Step]]:
        """What is added to the row's id, and the call, for each combination of values. Raises PolicyError."""
        for number in self._expand((self.key,), self.one.data[self.key]):
            nr = self._number(number.value)
            arguments = self._arguments(nr)
            for combined in product(*(given for _, given in arguments)):
                args: list[Arg] = [0] * 6
                for (index, _), choice in zip(arguments, combined, strict=True):
                    args[index] = choice.value
                words = [one.word for one in (number, *combined) if one.word]
                yield "-".join(words), Step(nr, tuple(args), self.entry)

    def _expand(self, path: Path, value: Any) -> list[Choice]:
        """The values themselves, or the one there is, which adds nothing to the id."""
        found = self._valid(path, "each, or from and to, or flip", lambda: values.choices(value))
        if found is None:
            return [Choice("", value)]
        if not self.several:
            raise self.one.source.error((*self.one.path, *path), "a step is one call", "one value")
        return list(found)

    def _valid(self, path: Path, allowed: str, make: Callable[[], T]) -> T:
        try:
            return make()
        except (ValueError, UsageError) as error:
            raise self.one.source.error((*self.one.path, *path), str(error), allowed) from None

    def _number(self, value: Any) -> int:
        if self.key == "call":
            found = table.number(value) if isinstance(value, str) else None
            if found is None:
                raise self.one.error("call", f"{value!r} is no system call", "a call's name; else nr = N")
            return found
        number = values.number(value) if isinstance(value, str) else value
        if type(number) is not int or not -(1 << 63) <= number <= MASK64:
            raise self.one.error(self.key, f"{value!r} is no number of 64 bits", "N")
        return number & MASK64

    def _arguments(self, nr: int) -> list[tuple[int, list[Choice]]]:
        given = self.one.data.get("args", {})
        if isinstance(given, list) and len(given) <= 6:
            named: dict[int, tuple[Path, Any]] = {nth: (("args", nth), one) for nth, one in enumerate(given)}
        elif isinstance(given, dict):
            named = self._named(nr, given)
        else:
            raise self.one.error("args", "args is no arguments", "{ name = value }, or a list of up to six")
        known = table.arguments(nr & 0xFFFF_FFFF)
        return [
            (index, self._values(path, value, known[index] if index < len(known) else None))
            for index, (path, value) in sorted(named.items())
        ]

    def _named(self, nr: int, given: dict[str, Any]) -> dict[int, tuple[Path, Any]]:
        named: dict[int, tuple[Path, Any]] = {}
        for name, value in given.items():
            index = self._index(nr, name)
            if index in named:
                path = (*self.one.path, "args", name)
                raise self.one.source.error(
                    path, f"{name} is {named[index][0][1]}, given twice", "one of them"
                )
            named[index] = (("args", name), value)
        return named

    def _values(self, path: Path, value: Any, arg: table.Arg | None) -> list[Choice]:
        def parsed(given: Any) -> Arg:
            return self._valid(path, values.ARGUMENT, lambda: values.argument(given, arg))

        return [Choice(one.word, parsed(one.value)) for one in self._expand(path, value)]

    def _index(self, nr: int, name: str) -> int:
        names = [arg.name for arg in table.arguments(nr & 0xFFFF_FFFF)]
        raw = [f"arg{index}" for index in range(6)]
        for known in (names, raw):
            if name in known:
                return known.index(name)
        allowed = ", ".join([*names, *raw])
        raise self.one.source.error(
            (*self.one.path, "args", name), f"{table.name(nr)} has no argument {name}", allowed
        )
