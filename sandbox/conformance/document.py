"""docs/conformance.md, made from the tables: what a policy promises, and the rows that prove it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from sandbox.conformance.rows import Differs, Promise, Row
from sandbox.syscalls import table

_FEW = 4
_NUMBERS = 1 << 10

_INTRODUCTION = """\
# What `{policy}` promises

Every line is one or more rows of a table that runs on the real kernel: `sandboxctl conform {policy}` runs all
{count}. This page is made from the tables (`sandboxctl conform --format markdown {policy}`).

An id that ends in `-…` stands for as many rows, one for each value tried. Where the call comes back, every
row also checks that the general registers, fs_base and gs_base (where the processor lets programs read them),
the flags and xmm0 to xmm15 are kept, but for rax, rcx, r11 and
those that the row names; where it comes back with an errno, also that the 64 KiB of memory that rows point
into are unchanged, unless the row says what changes.
"""


def markdown(policy: str, promises: Sequence[Promise]) -> str:
    """The page about one policy's tables."""
    count = sum(len(promise.rows) for promise in promises)
    lines = [_INTRODUCTION.format(policy=policy, count=_rows(count))]
    for promise in promises:
        lines += [f"## {promise.title}", ""]
        lines += [promise.says, ""] if promise.says else []
        lines += _table(promise.rows)
        lines.append("")
    lines += _by_call(promises)
    lines += _elsewhere(promises)
    return "\n".join(lines).rstrip() + "\n"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _families(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that one `[[row]]` stands for."""
    return [list(same) for _, same in groupby(rows, key=lambda row: (row.file, row.line))]


def _table(rows: Sequence[Row]) -> list[str]:
    lines = ["| call | promise | answer | rows |", "|---|---|---|---|"]
    for family in _families(rows):
        first = family[0]
        lines.append(
            f"| {_calls(family)} | {_cell(first.says)} | {_cell(first.expect.words())} | {_ids(family)} |"
        )
    return lines


def _by_call(promises: Sequence[Promise]) -> list[str]:
    """Each call of the surface, and the rows that prove what is said of it."""
    families = [family for promise in promises for family in _families(promise.rows)]
    judged: dict[int, list[str]] = {}
    for family in families:
        for nr in dict.fromkeys(row.probe.nr for row in family if len(_names(family)) <= _FEW):
            judged.setdefault(nr, []).append(_ids(family))
    lines = ["## Call by call", "", "| number | call | rows |", "|---|---|---|"]
    lines += [
        f"| {nr} | `{table.name(nr)}` | {', '.join(dict.fromkeys(ids))} |"
        for nr, ids in sorted(judged.items())
        if nr < _NUMBERS
    ]
    return [*lines, ""]


def _names(family: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.call for row in family))


def _calls(family: Sequence[Row]) -> str:
    names = _names(family)
    return ", ".join(f"`{name}`" for name in names) if len(names) <= _FEW else f"{len(names)} numbers"


def _ids(family: Sequence[Row]) -> str:
    if len(family) == 1:
        return f"`{family[0].id}`"
    return f"`{family[0].family}-…` ({len(family)})"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def _elsewhere(promises: Sequence[Promise]) -> list[str]:
    """Where a row is meant to differ without the sandbox or in another mode."""
    differs = [
        (family[0], place, other)
        for promise in promises
        for family in _families(promise.rows)
        for place, other in (("natively", family[0].native), ("with `--vfork kernel`", family[0].kernel))
        if isinstance(other, Differs)
    ]
    exceptions = [
        family[0] for promise in promises for family in _families(promise.rows) if family[0].because
    ]
    native = sum(row.native is not None for promise in promises for row in promise.rows)
    if not (native or differs or exceptions):
        return []
    lines = [
        "## Elsewhere",
        "",
        f"{_rows(native)} also run without the sandbox, and all rows run with `--vfork emulate` and"
        " `--vfork kernel`. They come to the same but for these, which are meant to differ:",
        "",
        "| row | where | answer | why |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{row.family}` | {place} | {_cell(other.expect.words())} | {_cell(other.because)} |"
        for row, place, other in differs
    ]
    lines += [
        f"| `{row.family}` | this kernel | {_cell(row.expect.words())} | {_cell(row.because)} |"
        for row in exceptions
    ]
    return lines
