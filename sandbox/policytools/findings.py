"""What `policy check` reports: findings as values, and their three forms in print."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sandbox.policy.values import printable
from sandbox.policytools.places import Place

INVALID = "invalid"
UNREADABLE = "unreadable"


class Finding(NamedTuple):
    """Something wrong with a policy. `kind` is a fixed word; `line` is 0 where it is about no one line."""

    kind: str
    file: str
    line: int
    message: str


def finding(kind: str, place: Place, message: str) -> Finding:
    """A finding whose message is one printable line."""
    return Finding(kind, place.file, place.line, printable(message))


def as_text(found: Iterable[Finding]) -> list[str]:
    """One line each: `file:line: kind: message`."""
    return [f"{Place(one.file, one.line)}: {one.kind}: {one.message}" for one in found]


def as_json(found: Sequence[Finding]) -> list[str]:
    """One JSON object with all findings."""
    return [json.dumps({"findings": [one._asdict() for one in found]}, indent=2)]


def as_github(found: Iterable[Finding]) -> list[str]:
    """Workflow commands of GitHub Actions, which shows each beside its line."""
    return [_command(one) for one in found]


def _command(one: Finding) -> str:
    fields = {"file": one.file, "line": str(max(one.line, 1)), "title": f"policy check: {one.kind}"}
    shown = ",".join(f"{name}={_property(value)}" for name, value in fields.items())
    return f"::error {shown}::{_data(one.message)}"


def _data(text: str) -> str:
    """A command's message: the runner decodes %25, %0D and %0A in it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """A command's property, where %3A and %2C stand for what would end it."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


FORMS = {"text": as_text, "json": as_json, "github": as_github}
