"""Where in its files a policy says something: file and line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sandbox.policy.groups import expand
from sandbox.policy.layers import Layer
from sandbox.policy.lines import Path
from sandbox.syscalls import table


class Place(NamedTuple):
    """A line of a policy file; line 0 where no line says it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Entry(NamedTuple):
    """One word of a list in `[calls]`: a call's name or a @group."""

    word: str
    place: Place


def at(layer: Layer, *path: str | int) -> Place:
    """The place of a key in one file."""
    return Place(layer.source.file, layer.source.lines.line(path))


def entries(layer: Layer) -> Iterator[Entry]:
    """Every word in the `[calls]` of one file."""
    calls = layer.root.data.get("calls", {})
    for key, value in calls.items():
        if isinstance(value, list):
            yield from _words(layer, ("calls", key), value)
        elif isinstance(value, dict):
            for answer, words in value.items():
                yield from _words(layer, ("calls", key, answer), words)


def _words(layer: Layer, path: Path, words: Sequence[str]) -> Iterator[Entry]:
    for nth, word in enumerate(words):
        yield Entry(word, at(layer, *path, nth))


def entry_for(layers: Sequence[Layer], nr: int) -> Entry | None:
    """The word that gives call `nr` its verdict in `[calls]`: its own name rather than a group."""
    name = table.name(nr)
    for layer in layers:
        if nr in layer.calls:
            words = list(entries(layer))
            named = [one for one in words if one.word == name]
            grouped = [one for one in words if one.word.startswith("@") and name in expand(one.word)]
            return (named or grouped)[0]
        if layer.replace:
            return None
    return None


def of_unlisted(layers: Sequence[Layer]) -> Place:
    """The line of `unlisted`; no line where it has its default."""
    for layer in layers:
        if layer.unlisted is not None:
            return at(layer, "unlisted")
    return Place(layers[0].source.file, 0)
