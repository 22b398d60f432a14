"""What there is to write in a policy: the @groups and their calls, the weakenings and their waivers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from sandbox.policy.groups import GROUPS, expand
from sandbox.policy.load import Loaded
from sandbox.policy.weakenings import WEAKENINGS
from sandbox.policytools.places import entries

_WIDTH = 110
_INDENT = "    "


def groups(loaded: Loaded | None) -> Iterator[str]:
    """Every @group with its calls, as lines; of a policy, also which it uses."""
    used = _used(loaded) if loaded else set()
    for group in sorted(GROUPS):
        yield f"{group}, used by {loaded.policy.name}" if loaded and group in used else group
        calls = " ".join(sorted(expand(group)))
        yield from textwrap.wrap(calls, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)


def _used(loaded: Loaded) -> set[str]:
    """The groups named in `[calls]`, of this policy and those it extends, as far as these lists count."""
    found: set[str] = set()
    for layer in loaded.layers:
        found |= {entry.word for entry in entries(layer) if entry.word.startswith("@")}
        if layer.replace:
            break
    return found


def weakenings() -> Iterator[str]:
    """Every weakening by the name of its waiver, as lines."""
    widest = max(len(one.name) for one in WEAKENINGS)
    for one in WEAKENINGS:
        yield f"{one.name:{widest}}  {one.why}"
