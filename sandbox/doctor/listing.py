"""How a plan is laid out: a name, then its text. Pure but for asking whether a path exists."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from sandbox.doctor.feature import WIDTH, printable
from sandbox.launch.confine import expand
from sandbox.launch.places import Places

_COLUMN = 13


def field(name: str, text: str) -> str:
    """One line: the name in its column, the text beside it."""
    return f"{name:{_COLUMN}}{text}".rstrip()


def paths(right: str, given: Sequence[str], places: Places) -> Iterator[str]:
    """The paths of one list as they were found, wrapped; what does not exist here is marked, as it allows
    nothing."""
    shown = list(dict.fromkeys(one for text in given for one in _path(text, places)))
    if not shown:
        yield field(f"  {right}", "nothing")
        return
    first, margin = field(f"  {right}", "").ljust(_COLUMN), " " * _COLUMN
    yield from textwrap.wrap(
        ", ".join(printable(one) for one in shown), WIDTH, initial_indent=first,
        subsequent_indent=margin, break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _path(text: str, places: Places) -> Iterator[str]:
    if text.startswith("${scratch}"):
        yield text
        return
    with places.opened(text) as place:
        if place is not None:
            yield place.path
        else:
            yield from (f"{one} (does not exist)" for one in expand((text,), places.names))
