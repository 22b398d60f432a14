"""How a plan is laid out: a name, then its text. Pure but for asking whether a path exists."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from sandbox.doctor.feature import WIDTH, printable
from sandbox.launch.confine import expand

_COLUMN = 13


def field(name: str, text: str) -> str:
    """One line: the name in its column, the text beside it."""
    return f"{name:{_COLUMN}}{text}".rstrip()


def paths(right: str, given: Sequence[str], names: Mapping[str, str]) -> Iterator[str]:
    """The paths of one list, wrapped; what does not exist here is marked, as it allows nothing."""
    shown = [one for path in given for one in _path(path, names)]
    if not shown:
        yield field(f"  {right}", "nothing")
        return
    first, margin = field(f"  {right}", "").ljust(_COLUMN), " " * _COLUMN
    yield from textwrap.wrap(
        ", ".join(printable(one) for one in shown), WIDTH, initial_indent=first,
        subsequent_indent=margin, break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _path(path: str, names: Mapping[str, str]) -> Iterator[str]:
    if path.startswith("${scratch}"):
        yield path
    for place in expand((path,), names):
        yield place if os.path.exists(place) else f"{place} (does not exist)"
