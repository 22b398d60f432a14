"""Results of attacks, and how they are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sandbox.attack.programs import Program
from sandbox.attack.verdict import Native, Verdict
from sandbox.audit.text import escape


class Result(NamedTuple):
    """All runs of one attack. `native` is None where it was not asked for."""

    program: Program
    native: Native | None
    verdicts: dict[str, Verdict]

    @property
    def is_contained(self) -> bool:
        """Whether no policy let it through, and it is a real attack where that was asked."""
        shown = self.native is None or self.native.state != "fails"
        return shown and all(verdict.state == "contained" for verdict in self.verdicts.values())


def as_dict(result: Result) -> dict[str, Any]:
    """One result, ready for JSON."""
    return {
        "program": result.program.name,
        "classes": list(result.program.classes),
        "native": _native(result.native) if result.native else None,
        "policies": {policy: verdict._asdict() for policy, verdict in result.verdicts.items()},
    }


def _native(native: Native) -> dict[str, Any]:
    return {**native._asdict(), "ways": [way._asdict() for way in native.ways]}


def header(policies: Sequence[str], native: bool) -> str:
    """The first line of the table."""
    return _line("program", "classes", "native" if native else None, policies)


def rows(result: Result, *, verbose: bool = False) -> Iterator[str]:
    """One line of the table, one for each run that is not as it should be, and how many ways were real; if
    `verbose`, one for each way that was not, with the reason."""
    classes = ",".join(map(str, result.program.classes))
    native = result.native.state if result.native else None
    yield _line(result.program.name, classes, native, [_cell(one) for one in result.verdicts.values()])
    if result.native and not _is_whole(result.native):
        yield f"    natively: {_printable(result.native.detail)}"
    if result.native and verbose:
        for way in result.native.ways:
            if way.state != "works":
                reason = _printable(way.reason or "no reason listed")
                yield f"      {way.state} {_printable(way.name)}: {reason}"
    for policy, verdict in result.verdicts.items():
        if verdict.state != "contained":
            yield f"    {policy}: {_printable(verdict.detail)}"


def _is_whole(native: Native) -> bool:
    return native.state == "works" and all(way.state == "works" for way in native.ways)


def _cell(verdict: Verdict) -> str:
    return f"{verdict.state} ({verdict.how})" if verdict.how else verdict.state


def _line(name: str, classes: str, native: str | None, cells: Iterable[str]) -> str:
    words = [f"{name:30}", f"{classes:14}", *([f"{native:7}"] if native is not None else [])]
    return " ".join([*words, *(f"{cell:19}" for cell in cells)]).rstrip()


def _printable(text: str) -> str:
    return text if text.isprintable() else escape(text)


def summary(results: Sequence[Result]) -> str:
    """The last line: how many attacks, classes and runs, and how they ended."""
    states = Counter(verdict.state for result in results for verdict in result.verdicts.values())
    classes = {number for result in results for number in result.program.classes}
    text = (
        f"{len(results)} attack programs, {len(classes)} classes, {states.total()} runs: "
        f"{states['contained']} contained, {states['ESCAPED']} ESCAPED, {states['error']} in error"
    )
    natives = Counter(result.native.state for result in results if result.native)
    if natives:
        ways = Counter(way.state for result in results if result.native for way in result.native.ways)
        text += (
            f"; natively {natives['works']} work, {natives['cannot']} cannot be shown here,"
            f" {natives['fails']} fail; of {ways.total()} ways {ways['works']} are real here"
        )
    return text
