"""One policy text being read: its TOML tables, and errors that name file, line and what is allowed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from sandbox.errors import PolicyError
from sandbox.policy.lines import MAX_DEPTH, Lines, Path, long_integer
from sandbox.policy.values import printable, quote
from sandbox.syscalls import table

T = TypeVar("T")

MAX_TEXT = 400


class Source:
    """A policy text: `file` as messages show it, and the line of every key."""

    def __init__(self, file: str, text: str) -> None:
        self.file = printable(file)
        self.lines = Lines(text)

    def error(self, path: Path, message: str, allowed: str) -> PolicyError:
        """The error to raise about what stands at `path`."""
        return self.error_at(self.lines.line(path), message, allowed)

    def error_at(self, line: int, message: str, allowed: str) -> PolicyError:
        """The error to raise about what stands in this line."""
        return PolicyError(printable(message), file=self.file, line=line, allowed=printable(allowed))


def parse_toml(source: Source, text: str) -> dict[str, Any]:
    """The text as TOML. Raises PolicyError where it is none, or nests deeper than `MAX_DEPTH`."""
    import tomllib

    if text.startswith("\ufeff"):
        raise source.error_at(1, "the text begins with a byte order mark", "UTF-8 without a byte order mark")
    if source.lines.too_deep:
        allowed = f"at most {MAX_DEPTH} levels"
        raise source.error_at(source.lines.too_deep, "the text is nested too deeply", allowed)
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        message, line = _where(str(error), text)
        raise source.error_at(line, f"not valid TOML: {message}", "TOML 1.0 (https://toml.io)") from None
    except ValueError:
        # Python reads only so many digits, and does not say where there are more.
        line = long_integer(text, sys.get_int_max_str_digits())
        raise source.error_at(line, "a number with too many digits", "numbers of at most 64 bits") from None


def _where(message: str, text: str) -> tuple[str, int]:
    """tomllib's message without its position, and the line of that position (1 where it has none)."""
    what, _, position = message.rpartition(" (at ")
    if not what:
        return message, 1
    if position.startswith("line "):
        number = position[5:].partition(",")[0]
        return what, int(number) if number.isdecimal() else 1
    return f"{what} at the end of the file", 1 + text.rstrip("\n").count("\n")


class Table:
    """A TOML table being read. Every method raises PolicyError about the key it was asked for."""

    def __init__(self, source: Source, path: Path, data: dict[str, Any]) -> None:
        self.source = source
        self.path = path
        self.data = data

    @property
    def line(self) -> int:
        """The line the table begins in."""
        return self.source.lines.line(self.path)

    def error(self, key: str | None, message: str, allowed: str) -> PolicyError:
        """The error to raise about `key`, or about the whole table where it is None."""
        return self.source.error(self.path if key is None else (*self.path, key), message, allowed)

    def only(self, place: str, keys: tuple[str, ...]) -> None:
        """Refuse every key but these; `place` is what the message calls the table."""
        for key in self.data:
            if key not in keys:
                allowed = ", ".join(keys) + did_you_mean(key, keys)
                raise self.error(key, f"unknown {place} {quote(key)}", allowed)

    def require(self, *keys: str) -> None:
        """Refuse a table that lacks one of these keys."""
        for key in keys:
            if key not in self.data:
                raise self.error(None, f"{key} is missing", f"{key} = …")

    def check(self, key: str, allowed: str, test: Callable[[Any], bool]) -> Any:
        """The value of `key`, which must pass the test."""
        value = self.data[key]
        if not test(value):
            raise self.error(key, f"{key} can't be {quote(value)}", allowed)
        return value

    def convert(self, key: str, allowed: str, parse: Callable[[Any], T]) -> T:
        """What `parse` makes of the value of `key`; its ValueError becomes a PolicyError."""
        try:
            return parse(self.data[key])
        except ValueError:
            raise self.error(key, f"{key} can't be {quote(self.data[key])}", allowed) from None

    def text(self, key: str, default: str = "") -> str:
        """One line of printable text."""
        if key not in self.data:
            return default
        return str(self.check(key, f"one line of text, at most {MAX_TEXT} characters", is_text))

    def boolean(self, key: str) -> bool:
        """true or false."""
        return bool(self.check(key, "true or false", lambda value: isinstance(value, bool)))

    def whole(self, key: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        allowed = f"a whole number from {low} to {high}"
        return int(self.check(key, allowed, lambda value: is_int(value) and low <= value <= high))

    def choice(self, key: str, words: tuple[str, ...]) -> str:
        """One of these words."""
        return str(self.check(key, " or ".join(f'"{word}"' for word in words), lambda value: value in words))

    def table(self, key: str) -> Table | None:
        """The table of this name, None where there is none."""
        if key not in self.data:
            return None
        value = self.check(key, f"a table: [{key}]", lambda value: isinstance(value, dict))
        return Table(self.source, (*self.path, key), value)

    def tables(self, key: str) -> list[Table]:
        """The array of tables of this name, empty where there is none."""
        if key not in self.data:
            return []
        values = self.check(key, f"tables, each begun with [[{key}]]", _is_tables)
        return [Table(self.source, (*self.path, key, nth), value) for nth, value in enumerate(values)]

    def words(self, key: str, allowed: str) -> list[tuple[Path, str]]:
        """A list of texts, each with its place."""
        values = self.data[key]
        if not isinstance(values, list):
            raise self.error(key, f"{key} can't be {quote(values)}", f"a list in [ ]: {allowed}")
        for nth, value in enumerate(values):
            if not isinstance(value, str):
                raise self.source.error((*self.path, key, nth), f"{quote(value)} is no text", allowed)
        return [((*self.path, key, nth), value) for nth, value in enumerate(values)]


def _is_tables(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, dict) for value in values)


def is_int(value: object) -> bool:
    """True for a TOML integer (Python's bool is an int too, TOML's is not)."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_text(value: object) -> bool:
    """True for one line of printable text of bounded length, which may be empty."""
    return isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()


def did_you_mean(word: object, candidates: Iterable[str]) -> str:
    """' (did you mean …?)' where one of the candidates is near to the word, else ''."""
    near = table.suggest(word, candidates) if isinstance(word, str) else ""
    return f" (did you mean {near}?)" if near else ""
