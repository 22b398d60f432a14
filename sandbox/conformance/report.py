"""What came of all rows, for people and for other programs. Pure but for the name of this kernel."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape as xml_text
from xml.sax.saxutils import quoteattr

from sandbox.audit.text import escape
from sandbox.conformance.suite import Checked, Part

_WIDEST = 110


def text(parts: Sequence[Part], vfork: str | None) -> str:
    """A line for each part, then each row that does not hold with what differs, then what it comes to."""
    width = max(len(part.title) for part in parts)
    lines = []
    for policy in dict.fromkeys(part.policy for part in parts):
        blocked = f", --vfork {vfork}" if vfork else ""
        lines += [f"{_printable(policy)} on Linux {os.uname().release}{blocked}", ""]
        lines += [_line(part, width) for part in parts if part.policy == policy]
        lines.append("")
    for part in parts:
        lines += [line for row in part.rows if not row.holds for line in _failed(row)]
        lines += [line for note in part.notes for line in _wrapped(f"note: {_printable(note)}")]
    return "\n".join([*lines, summary(parts)])


def _line(part: Part, width: int) -> str:
    failed = sum(not row.holds for row in part.rows)
    state = f"{failed} do NOT hold" if failed else "all hold"
    return f"  {_printable(part.title):{width}}  {len(part.rows):5} rows  {state}"


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, _WIDEST, subsequent_indent="  ")


def _failed(row: Checked) -> Iterator[str]:
    yield f"{_printable(row.id)} ({_printable(row.where)})" if row.where else _printable(row.id)
    if row.says:
        yield f"    promised: {_printable(row.says)}"
    for difference in row.differences:
        yield f"    {_printable(difference)}"


def summary(parts: Sequence[Part]) -> str:
    """One line: how many rows there are, and how many hold."""
    rows = [row for part in parts for row in part.rows]
    failed = sum(not row.holds for row in rows)
    if not rows:
        return "no rows"
    return f"{failed} of {len(rows)} rows do not hold" if failed else f"all {len(rows)} rows hold"


def holds(parts: Sequence[Part]) -> bool:
    """Whether every row does, and there are some."""
    return all(row.holds for part in parts for row in part.rows) and any(part.rows for part in parts)


def as_json(parts: Sequence[Part], vfork: str | None) -> str:
    """Everything, as one JSON object."""
    document = {
        "kernel": os.uname().release,
        "user": os.geteuid(),
        "vfork": vfork,
        "summary": summary(parts),
        "holds": holds(parts),
        "parts": [
            {
                "policy": part.policy,
                "title": part.title,
                "notes": list(part.notes),
                "rows": [{**row._asdict(), "holds": row.holds} for row in part.rows],
            }
            for part in parts
        ],
    }
    return json.dumps(document, indent=1)


def junit(parts: Sequence[Part]) -> str:
    """JUnit's XML: a suite for each part, a case for each row."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<testsuites>"]
    for part in parts:
        failures = sum(not row.holds for row in part.rows)
        name = quoteattr(_printable(f"{part.policy}: {part.title}"))
        lines.append(f'<testsuite name={name} tests="{len(part.rows)}" failures="{failures}" errors="0">')
        lines += [_case(part, row) for row in part.rows]
        lines.append("</testsuite>")
    return "\n".join([*lines, "</testsuites>"])


def _case(part: Part, row: Checked) -> str:
    names = f"classname={quoteattr(_printable(part.policy))} name={quoteattr(_printable(row.id))}"
    if row.holds:
        return f"<testcase {names}/>"
    first = quoteattr(_printable(row.differences[0]))
    told = "\n".join(_failed(row))
    return f"<testcase {names}><failure message={first}>{xml_text(told)}</failure></testcase>"


def _printable(words: str) -> str:
    return words if words.isprintable() else escape(words)
