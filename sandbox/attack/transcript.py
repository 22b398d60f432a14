"""What an attack program says: each way, before it is tried, and the answer (guests/attacks/lib/attack.h).

Pure: text in, facts out.
"""

from __future__ import annotations

from typing import NamedTuple

CONTAINED = "contained: "
WORKS = "works natively: "


class Transcript(NamedTuple):
    """What was said.

    `ways` has every way announced, in order, with its answer (None if none came); `spared` are ways that are
    not tried natively, with the reason; `rest` is why those never announced were not tried.
    """

    ways: dict[str, str | None]
    opened: frozenset[str]
    spared: dict[str, str]
    rest: str | None
    last: str

    @property
    def unanswered(self) -> list[str]:
        """The ways that were announced, and about which nothing was said any more."""
        return [name for name, answer in self.ways.items() if answer is None]

    def fault(self, declared: int) -> str | None:
        """Why this is no whole account of `declared` ways; None if it is one."""
        if self.unanswered:
            return f"no answer to: {self.unanswered[0]}"
        if not self.ways and self.rest is None:
            return "it says nothing of what it tried"
        if len(self.ways) > declared:
            return f"{len(self.ways)} ways were tried, of {declared} declared (`ways:` in its first comment)"
        if len(self.ways) < declared and self.rest is None:
            return f"{len(self.ways)} of {declared} ways were tried, and it does not say why"
        return None


def read(output: str) -> Transcript:
    """The account in a program's output; lines that are none of ours are passed over."""
    ways: dict[str, str | None] = {}
    opened: set[str] = set()
    spared: dict[str, str] = {}
    rest = None
    last = ""
    for line in output.splitlines():
        word, _, said = line.partition(": ")
        name, _, how = said.partition(": ")
        if word == "try":
            ways.setdefault(said, None)
        elif word in ("refused", "cannot") and name in ways:
            ways[name] = ways[name] or how
        elif word == "open natively" and said in ways:
            ways[said] = "open"
            opened.add(said)
        elif word == "spared" and name in ways:
            ways[name] = spared[name] = how
        elif word == "rest":
            rest = said
        elif line.startswith((CONTAINED, WORKS)):
            last = line
    return Transcript(ways, frozenset(opened), spared, rest, last)
