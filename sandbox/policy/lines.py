"""Where in a TOML text each key stands, since `tomllib` does not say.

The text is read once, in linear time, before it is known to be valid; whatever it holds, nothing is raised.
Up to the first error this reading and tomllib's agree, so a depth bound checked here protects tomllib's
recursive and partly quadratic code (dotted keys) too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Path = tuple[str | int, ...]

MAX_DEPTH = 24

# Every alternative is possessive and an unclosed string runs to its end, so no text is read twice.
_TOKEN = re.compile(
    r"""
      (?P<text> \"{3}(?:[^"\\]+|\\(?:.|\Z)|"(?!""))*(?:"{3,5}|\Z)
              | '{3}(?:[^']+|'(?!''))*(?:'{3,5}|\Z)
              | "(?:[^"\\\n]+|\\[^\n]?)*"?
              | '[^'\n]*'? )
    | (?P<skip> \#[^\n]* | [^\S\n]+ )
    | (?P<mark> [\n\[\]{}=,.] )
    | (?P<bare> [^\s\[\]{}=,."'\#]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


class Lines:
    """The line of every key, table and array element of one TOML text.

    `too_deep` is the line where nesting or a dotted key passes `MAX_DEPTH`, or 0; nothing after it is known.
    """

    def __init__(self, text: str) -> None:
        self.too_deep = 0
        self._known: dict[Path, int] = {(): 1}
        self._counts: dict[Path, int] = {}
        self._base: Path = ()
        self._frames: list[_Frame] = []
        self._key: list[str] = []
        self._pending: Path = ()
        self._read(text)

    def line(self, path: Path) -> int:
        """The line of this key, or of the innermost known table or array around it; 1 where none is."""
        while path not in self._known:
            path = path[:-1]
        return self._known[path]

    def _read(self, text: str) -> None:
        header = ""
        value = False
        for mark, word, line in _tokens(text):
            if header:
                if mark == "\n":
                    self._open_table(header, line)
                    header = ""
                else:
                    header += mark
                    self._add_key(word)
            elif mark == "[" and not value and not self._frames and not self._key:
                header = mark
            elif value or (self._frames and self._frames[-1].array):
                value = self._in_value(mark, word, line)
            else:
                value = self._in_key(mark, word, line)
            if mark != "," and self._deep():
                self.too_deep = line
                return
        if header:
            self._open_table(header, 1 + text.count("\n"))

    def _deep(self) -> bool:
        return len(self._frames) > MAX_DEPTH or len(self._key) > MAX_DEPTH or len(self._base) > MAX_DEPTH

    def _add_key(self, word: str) -> None:
        if word:
            self._key.append(word)

    def _note(self, path: Path, line: int) -> None:
        """Remember a line, unless the one of what is around it says the same."""
        if path not in self._known and self.line(path[:-1]) != line:
            self._known[path] = line

    def _open_table(self, header: str, line: int) -> None:
        """A `[table]` or `[[table]]` header line has ended."""
        path: Path = ()
        for key in self._key[:-1]:
            path = self._last((*path, key))
            self._note(path, line)
        path = (*path, *self._key[-1:])
        if header.startswith("[["):
            self._counts[path] = self._counts.get(path, 0) + 1
        self._base = self._last(path)
        self._key = []
        self._note(self._base, line)

    def _last(self, path: Path) -> Path:
        count = self._counts.get(path)
        return (*path, count - 1) if count else path

    def _in_key(self, mark: str, word: str, line: int) -> bool:
        """One token where a key is written; True where a value comes next."""
        frames = self._frames
        self._add_key(word)
        if mark == "=":
            path = frames[-1].path if frames else self._base
            for key in self._key:
                path = (*path, key)
                self._note(path, line)
            self._pending = path
            self._key = []
            return True
        if mark == "," or (mark == "\n" and not frames):
            self._key = []
        elif mark == "}" and frames:
            frames.pop()
            self._key = []
        return False

    def _in_value(self, mark: str, word: str, line: int) -> bool:
        """One token where a value is written; True until the value's key has got all of it."""
        frames = self._frames
        top = frames[-1] if frames else None
        path = (*top.path, top.index) if top and top.array else self._pending
        if word or mark in ("[", "{"):
            self._note(path, line)
        if mark in ("[", "{"):
            frames.append(_Frame(path, array=mark == "["))
            return False
        if top is None:
            return mark != "\n"
        if mark == ",":
            top.index += 1
            return False
        if mark in ("]", "}"):
            frames.pop()
            return False
        return True


def long_integer(text: str, digits: int) -> int:
    """The line of the first decimal integer of more than so many digits; 1 where there is none."""
    for found in _TOKEN.finditer(text):
        word = found[0].replace("_", "").lstrip("+-")
        if found.lastgroup == "bare" and len(word) > digits and word.isascii() and word.isdecimal():
            return 1 + text.count("\n", 0, found.start())
    return 1


class _Frame:
    """An open array or inline table."""

    __slots__ = ("array", "index", "path")

    def __init__(self, path: Path, *, array: bool) -> None:
        self.path = path
        self.array = array
        self.index = 0


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """(punctuation, word, line) of every token that matters; one of the first two is empty."""
    line, counted = 1, 0
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup
        if kind == "skip":
            continue
        start = found.start()
        line += text.count("\n", counted, start)
        counted = start
        if kind == "mark":
            yield found[0], "", line
        else:
            yield "", found[0] if kind == "bare" else found[0].strip("\"'") or '"', line
