"""How one line of a log is tied to the line before it, and what every line has in common."""

from __future__ import annotations

import hashlib

SCHEMA_VERSION = 1
FIRST_PREV = "0" * 64
MAX_LINE = 16 * 1024 * 1024
RESERVED = frozenset(("v", "seq", "t", "event", "prev"))


def link(line: bytes) -> str:
    """The `prev` of the record after `line` (given without its newline): its SHA-256 in lower-case hex."""
    return hashlib.sha256(line).hexdigest()
