"""A policy file's text, made of what a profile says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from sandbox.oci.answers import Answer
from sandbox.oci.compare import argument
from sandbox.oci.profile import Entry
from sandbox.oci.render import alternatives
from sandbox.oci.resolve import Check, Plan
from sandbox.policy.values import printable
from sandbox.syscalls import table

_WIDTH = 110
_MOST_COMMENT = 400
_TABLES = {"errno": "refuse", "return": "return"}


def comment(text: str) -> Iterator[str]:
    """Comment lines of bounded width; nothing in the text can end one."""
    line = "#"
    for word in printable(text).split(" "):
        if len(line) + len(word) + 1 > _WIDTH and line != "#":
            yield line
            line = "#  "
        line += f" {word}"
    yield line


def listed(key: str, chunks: Iterable[tuple[str, Sequence[str]]]) -> Iterator[str]:
    """`key = [ … ]` of names; each chunk has a comment of its own."""
    yield f"{key} = ["
    for what, names in chunks:
        yield from (f"    {line}" for line in comment(what) if what)
        line = "   "
        for name in names:
            if len(line) + len(name) + 4 > _WIDTH:
                yield line
                line = "   "
            line += f' "{name}",'
        yield line
    yield "]"


def describe(entries: Sequence[Entry]) -> str:
    """Where in the profile something comes from, and what is remarked there."""
    places = ", ".join(entry.path for entry in entries[:5]) + (", …" if len(entries) > 5 else "")
    remarks = dict.fromkeys(entry.comment[:_MOST_COMMENT] for entry in entries if entry.comment)
    return places + "".join(f": {remark}" for remark in list(remarks)[:3])


def calls_sections(constant: dict[Answer, dict[str, list[str]]]) -> Iterator[str]:
    """`[calls]` and its tables, of names by what describes them, by answer."""
    if not constant:
        return
    yield from ("", "[calls]")
    for answer, chunks in constant.items():
        if answer.kind not in _TABLES:
            yield from listed(answer.kind, chunks.items())
    for kind, section in _TABLES.items():
        answers = [answer for answer in constant if answer.kind == kind]
        if answers:
            yield from ("", f"[calls.{section}]")
        for answer in answers:
            yield from listed(answer.word if kind == "errno" else "0", constant[answer].items())


def rules(plans: Iterable[Plan]) -> Iterator[str]:
    """A `[[rule]]` for each check of a call, or several where one can't say it."""
    for plan in plans:
        count = 0
        for check in plan.checks:
            yield from ("", *comment(describe(check.entries)))
            for nth, when in enumerate(_conditions(plan.nr, check)):
                count += 1
                yield from ("",) if nth else ()
                yield from _rule(plan.nr, count, when, check.answer)


def _rule(nr: int, count: int, when: str, answer: Answer) -> Iterator[str]:
    name = table.name(nr)
    yield "[[rule]]"
    yield f'id = "{name.lstrip("_")}-{count}"'
    yield f'call = "{name}"'
    if when:
        yield f"when = {{ {when} }}"
    yield "return = 0" if answer.kind == "return" else f'verdict = "{answer.word}"'


def _conditions(nr: int, check: Check) -> Iterator[str]:
    """What stands in each rule's `when`; '' where nothing is asked."""
    choices: list[list[str]] = []
    for index, values in check.tests:
        arg = argument(nr, index)
        assert arg is not None
        choices.append([f"{arg.name} = {text}" for text in alternatives(values, arg)])
    for chosen in product(*choices):
        yield ", ".join(chosen)


def quoted(text: str) -> str:
    """TOML basic text; JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)
