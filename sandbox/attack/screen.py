"""What reaches a terminal of a log into which a guest tries to write escape sequences and lines. Pure."""

from __future__ import annotations

import re
import unicodedata

_OURS = re.compile("\x1b\\[[0-9;]*m")
# Seconds since the start; the table of calls below the end record is indented.
_RECORD = re.compile(r" *\d+\.\d+ | {21}\S")
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of characters that a terminal obeys or does not show."""


def forged(shown: str) -> list[str]:
    """What in this text, written to a terminal, is no record's own line; one phrase each."""
    found = []
    for line in shown.replace("\r\n", "\n").split("\n"):
        plain = _OURS.sub("", line)
        hidden = sorted({char for char in plain if unicodedata.category(char) in _HIDDEN})
        if hidden:
            found.append(
                f"the terminal gets {', '.join(f'U+{ord(char):04X}' for char in hidden)} from the log"
            )
        elif plain and not _RECORD.match(plain):
            found.append(f"a line of the log on the terminal is no record: {plain[:60]!r}")
    return found
