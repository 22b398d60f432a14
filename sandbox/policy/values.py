"""Sizes, durations and printable text, as a policy file writes them."""

from __future__ import annotations

import math
import re

MAX_SIZE = (1 << 63) - 1
MAX_SECONDS = 1e9

_SIZE = re.compile(r"([0-9]{1,19})\s*([A-Za-z]*)")
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([a-z]*)")
_SIZE_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "k": 1 << 10,
    "m": 1 << 20,
    "g": 1 << 30,
    "t": 1 << 40,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
}
_SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}

SIZES = 'a number of bytes from 1, or text such as "64KiB", "512MiB", "2GiB"'
DURATIONS = 'seconds above 0 as a number, or text such as "250ms", "60s", "1.5", "2m", "1h"'


def parse_size(value: object) -> int:
    """Bytes: a whole number, or text with an optional unit (K and KiB are 1024, KB is 1000; case is free).

    Raises ValueError, without a text of its own, for anything else and outside 1..2**63-1.
    """
    if isinstance(value, str):
        found = _SIZE.fullmatch(value.strip())
        if not found or found[2].lower() not in _SIZE_UNITS:
            raise ValueError
        value = int(found[1]) * _SIZE_UNITS[found[2].lower()]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_SIZE:
        raise ValueError
    return value


def parse_duration(value: object) -> float:
    """Seconds: a number, or text with an optional unit ms, s, m or h.

    Raises ValueError, without a text of its own, for anything else, and unless 0 < seconds <= 1e9.
    """
    if isinstance(value, str):
        found = _DURATION.fullmatch(value.strip())
        if not found or found[2] not in _SECONDS:
            raise ValueError
        value = float(found[1]) * _SECONDS[found[2]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    if not (math.isfinite(value) and 0 < value <= MAX_SECONDS):
        raise ValueError
    return float(value)


def printable(text: str) -> str:
    """The text on one line: every character that could steer a terminal or end the line is escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def quote(found: object, limit: int = 60) -> str:
    """What was found, for a message: on one line and cut at `limit` characters, whatever it is."""
    if isinstance(found, str):
        shown = printable(found[:limit])
        return f"'{shown[:limit]}…'" if max(len(shown), len(found)) > limit else f"'{shown}'"
    if isinstance(found, list | dict):
        return "a list" if isinstance(found, list) else "a table"
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int):
        # str() of an int of more than 4300 digits raises ValueError; hex() of one does not.
        return str(found) if abs(found) < 1 << 64 else f"{hex(found)[:limit]}…"
    return printable(str(found))[:limit]
