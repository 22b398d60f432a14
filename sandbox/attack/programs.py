"""Which attack programs there are, and where."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from sandbox.errors import UsageError

INDEX = "index.json"
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PLACES = (
    os.path.join(_PACKAGE, "attack", "programs"),
    os.path.join(os.path.dirname(_PACKAGE), "guests", "build", "attacks"),
)
"""Where built programs are looked for: in the installed package, then in a checkout."""
NOT_BUILT = (
    "the attack programs are not built: run `python guests/build.py attacks` in a checkout; an installed "
    "package has them if ziglang was there when it was built, as `pip install` sees to"
)


class Program(NamedTuple):
    """A built attack: the classes it tries, how it may fail besides by an errno, options its run needs, and
    what must be there (`terminal`: as controlling terminal and standard input), and how many ways it has."""

    name: str
    path: str
    classes: tuple[int, ...]
    contained: frozenset[str]
    options: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    ways: int = 0


def find(places: Iterable[str] = PLACES) -> list[Program]:
    """The programs of the first place that has an index. Raises UsageError where none is built."""
    for place in places:
        if os.path.exists(os.path.join(place, INDEX)):
            return _read(place)
    raise UsageError(NOT_BUILT)


def _read(place: str) -> list[Program]:
    file = os.path.join(place, INDEX)
    try:
        with open(file, encoding="utf-8") as stream:
            index = json.load(stream)
        programs = [_program(place, name, facts) for name, facts in sorted(index.items())]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{file}: no index of attack programs: {error}") from None
    if not programs:
        raise UsageError(f"{file}: no attack programs: run `python guests/build.py attacks`")
    return programs


def _program(place: str, name: str, facts: dict[str, Any]) -> Program:
    return Program(
        name,
        os.path.join(place, name),
        tuple(int(number) for number in facts["classes"]),
        frozenset(facts["contained"]),
        tuple(facts["options"]),
        frozenset(facts["needs"]),
        int(facts["ways"]),
    )


def select(
    programs: Iterable[Program], names: Collection[str] = (), classes: Collection[int] = ()
) -> list[Program]:
    """Those named, or that try one of `classes`; all where neither is given.

    Raises UsageError where there is none such, or one of them is not built.
    """
    known = list(programs)
    if unknown := sorted(set(names) - {one.name for one in known}):
        raise UsageError(f"no such attack program: {', '.join(unknown)}")
    if untried := sorted(set(classes) - {number for one in known for number in one.classes}):
        raise UsageError(f"no attack program tries class {', '.join(map(str, untried))}")
    every = not names and not classes
    chosen = [one for one in known if every or one.name in names or not set(one.classes).isdisjoint(classes)]
    if missing := [one.name for one in chosen if not os.access(one.path, os.X_OK)]:
        raise UsageError(f"attack program {missing[0]} is not built: run `python guests/build.py attacks`")
    return chosen
