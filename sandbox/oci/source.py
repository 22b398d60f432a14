"""A seccomp profile's JSON text being read: hostile until shown otherwise.

Every error is a PolicyError that names the file and the place in the JSON, such as `syscalls[3].args[0].op`.
"""

from __future__ import annotations

import json
import os
import stat
from typing import Any

from sandbox.errors import PolicyError
from sandbox.policy.source import did_you_mean, is_int
from sandbox.policy.values import printable, quote

MAX_BYTES = 10 * 1000 * 1000
_LONGEST_NUMBER = 24
_MAX_TEXT = 4096
_LONGEST_PATH = 200


class _Repeating(dict[str, Any]):
    """An object that names one key twice; `key` is that key."""

    key = ""


class _Objects:
    """Makes the objects of one text; `repeat` tells whether one of them names a key twice."""

    def __init__(self) -> None:
        self.repeat = False

    def make(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """The object with these keys and values."""
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        self.repeat = True
        repeating = _Repeating(found)
        last = {key: place for place, (key, _) in enumerate(pairs)}
        repeating.key = next(key for place, (key, _) in enumerate(pairs) if last[key] != place)
        return repeating


class Node:
    """A value in the JSON and where it stands. Every method raises PolicyError about that place."""

    def __init__(self, file: str, path: str, value: Any) -> None:
        self.file = file
        self.path = path
        self.value = value

    def error(self, message: str, allowed: str = "") -> PolicyError:
        """The error to raise about this value."""
        shown = self.path if len(self.path) <= _LONGEST_PATH else f"…{self.path[-_LONGEST_PATH:]}"
        place = f"{printable(shown)}: " if self.path else ""
        return PolicyError(place + printable(message), file=self.file, allowed=printable(allowed))

    def _expect(self, kind: type, allowed: str) -> Any:
        if not isinstance(self.value, kind):
            raise self.error(f"{_shown(self.value)} is in the wrong place", allowed)
        return self.value

    def at(self, key: str) -> Node | None:
        """The value of a key of this object; None where it is absent or null, which is the same to Go."""
        value = self._expect(dict, "an object in { }").get(key)
        return None if value is None else Node(self.file, join(self.path, key), value)

    def require(self, key: str) -> Node:
        """The value of a key this object must have."""
        found = self.at(key)
        if found is None:
            raise self.error(f"{key} is missing", f'"{key}": …')
        return found

    def items(self) -> list[Node]:
        """The elements of this list."""
        values = self._expect(list, "a list in [ ]")
        return [Node(self.file, f"{self.path}[{nth}]", value) for nth, value in enumerate(values)]

    def text(self) -> str:
        """This text, of bounded length."""
        text: str = self._expect(str, 'text in " "')
        if len(text) > _MAX_TEXT:
            raise self.error("the text is too long", f"at most {_MAX_TEXT} characters")
        return text

    def remark(self) -> str:
        """This text, cut where it is too long: nothing depends on it."""
        text: str = self._expect(str, 'text in " "')
        return text[:_MAX_TEXT]

    def whole(self, low: int, high: int) -> int:
        """This whole number from `low` to `high`."""
        if not is_int(self.value) or not low <= self.value <= high:
            raise self.error(f"it can't be {_shown(self.value)}", f"a whole number from {low} to {high}")
        return int(self.value)

    def choice(self, words: tuple[str, ...]) -> str:
        """This text, which must be one of these words."""
        text = self.text()
        if text not in words:
            raise self.error(f"it can't be {quote(text)}", ", ".join(words) + did_you_mean(text, words))
        return text

    def unknown(self, known: tuple[str, ...]) -> list[str]:
        """The paths of keys that are none of these, which runtimes skip.

        Raises PolicyError for one that differs in its letters' case only: Go would take it for the known one.
        """
        by_fold = {key.casefold(): key for key in known}
        found: list[str] = []
        for key in self._expect(dict, "an object in { }"):
            if key in known:
                continue
            if key.casefold() in by_fold:
                raise self.error(f"{quote(key)} is no key here", by_fold[key.casefold()])
            found.append(join(self.path, key))
        return found


def join(path: str, key: str) -> str:
    """The path of a key under a path."""
    shown = key if key.isidentifier() and len(key) < 60 else quote(key)
    return f"{path}.{shown}" if path else shown


def _shown(value: Any) -> str:
    match value:
        case None:
            return "null"
        case dict():
            return "an object"
        case float():
            return "a fraction or a number too large"
        case _:
            return quote(value)


def parse_json(data: bytes, file: str) -> Node:
    """The JSON value in these bytes.

    Raises PolicyError for more than MAX_BYTES, for what is not UTF-8 or not JSON, for nesting too deep to
    read, and for an object that names a key twice.
    """
    file = printable(file)
    if len(data) > MAX_BYTES:
        raise PolicyError("the profile is too large", file=file, allowed=f"at most {MAX_BYTES} bytes")
    objects = _Objects()
    try:
        value = _load(data.decode(), objects)
    except UnicodeDecodeError:
        raise PolicyError("the profile is not UTF-8 text", file=file, allowed="UTF-8") from None
    except json.JSONDecodeError as error:
        raise PolicyError(f"not valid JSON: {error.msg}", file=file, line=error.lineno) from None
    except ValueError as error:
        raise PolicyError(f"not valid JSON: {error}", file=file) from None
    except RecursionError:
        raise PolicyError("the JSON is nested too deeply", file=file) from None
    if objects.repeat:
        _refuse_repeats(value, file)
    return Node(file, "", value)


def _load(text: str, objects: _Objects) -> Any:
    return json.loads(
        text, parse_int=_parse_int, parse_constant=_refuse_constant, object_pairs_hook=objects.make
    )


def _parse_int(text: str) -> int | float:
    """A number of more digits than any field takes becomes a float, which no field takes either."""
    return int(text) if len(text) <= _LONGEST_NUMBER else float(text)


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


def _refuse_repeats(value: Any, file: str) -> None:
    """Raise PolicyError where an object has a key twice: readers differ in which of the two counts."""
    todo: list[tuple[str, Any]] = [("", value)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, _Repeating):
            raise Node(file, join(path, value.key), value).error("this key is there twice", "it once")
        if isinstance(value, dict):
            todo += [(join(path, key), one) for key, one in value.items() if isinstance(one, dict | list)]
        elif isinstance(value, list):
            todo += [(f"{path}[{nth}]", one) for nth, one in enumerate(value) if isinstance(one, dict | list)]


def read_profile(source: str | int) -> bytes:
    """The bytes of a regular file, or of an open descriptor: one more than MAX_BYTES at most.

    Raises PolicyError where they can't be read. A FIFO or a device is refused without reading from it.
    """
    if isinstance(source, int):
        return _read_all(source, "standard input")
    try:
        fd = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PolicyError(f"can't read the profile: {reason}", file=printable(source)) from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise PolicyError("can't read the profile", file=printable(source), allowed="a regular file")
        return _read_all(fd, source)
    finally:
        os.close(fd)


def _read_all(fd: int, file: str) -> bytes:
    chunks: list[bytes] = []
    missing = MAX_BYTES + 1
    try:
        while missing and (chunk := os.read(fd, min(missing, 1 << 20))):
            chunks.append(chunk)
            missing -= len(chunk)
    except OSError as error:
        raise PolicyError(f"can't read the profile: {error.strerror}", file=printable(file)) from None
    return b"".join(chunks)
