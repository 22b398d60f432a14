"""A feature of the kernel as the doctor found it, and the report about all of them. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from sandbox.audit.text import escape

Level = Literal["full", "partial", "none", "note"]
Use = Literal["needed", "used", "spare"]

WIDTH = 100
_INDENT = " " * 9


class Feature(NamedTuple):
    """One feature. `found` is what was seen, `purpose` what it is for.

    Where the level is `partial` or `none`, `lost` says what is lost and each of `remedies` mends it. A `note`
    is neither good nor bad. `use`: `needed` by every run, or by one under the default policy; `used` by runs
    that can do without; `spare`: no run uses it.
    """

    name: str
    level: Level
    found: str
    purpose: str
    use: Use = "used"
    lost: str = ""
    remedies: tuple[str, ...] = ()

    @property
    def is_missing(self) -> bool:
        """Whether runs are refused for lack of it."""
        return self.use == "needed" and self.level == "none"


def is_ready(features: Sequence[Feature]) -> bool:
    """Whether everything that a run needs is there."""
    return not any(one.is_missing for one in features)


def as_dict(feature: Feature) -> dict[str, Any]:
    """One feature, ready for JSON."""
    return {**feature._asdict(), "remedies": list(feature.remedies)}


def render(features: Sequence[Feature]) -> Iterator[str]:
    """The report's printable lines, the verdict last."""
    for feature in features:
        yield from _lines(feature)
    missing = [one.name for one in features if one.is_missing]
    yield ""
    if missing:
        yield f"runs will be refused here for lack of: {', '.join(missing)}"
    else:
        yield "everything that a run needs is here"


def _lines(feature: Feature) -> Iterator[str]:
    yield f"{feature.level:8} {feature.name}: {printable(feature.found)}"
    use = {"needed": " (needed)", "used": "", "spare": " (no run uses it)"}[feature.use]
    yield from _wrapped("for: ", feature.purpose + use)
    if feature.lost:
        yield from _wrapped("lost: ", feature.lost)
    for remedy in feature.remedies:
        yield from _wrapped("remedy: ", remedy)


def _wrapped(label: str, text: str) -> list[str]:
    # Long words are commands, which are copied: they stay whole.
    return textwrap.wrap(
        printable(text), WIDTH, initial_indent=_INDENT + label, subsequent_indent=_INDENT + "  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def printable(text: str) -> str:
    """The text on one line, whatever it holds."""
    return text if text.isprintable() else escape(text)
