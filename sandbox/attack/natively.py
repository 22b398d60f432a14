"""Ways that cannot be shown without the sandbox, each with its reason: natively.toml, beside this file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "natively.toml")
WHO = ("anybody", "user", "root")
"""For whom a way is impossible: whoever runs it, all but root, or root alone."""


@cache
def table() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """The whole list: who, program, pattern of the way's name, reason."""
    with open(_FILE, "rb") as stream:
        found: dict[str, Any] = tomllib.load(stream)
    return found


def reasons(program: str, *, root: bool) -> dict[str, str]:
    """Why ways of `program` cannot be shown to root, or to another user; by pattern (fnmatch)."""
    own = "root" if root else "user"
    return {**table().get("anybody", {}).get(program, {}), **table().get(own, {}).get(program, {})}


def reason(name: str, known: Mapping[str, str]) -> str | None:
    """Why the way of this name cannot be shown; None if the list has no reason."""
    return known.get(name) or next((text for key, text in known.items() if fnmatchcase(name, key)), None)
