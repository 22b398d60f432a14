"""Findings in print."""

from __future__ import annotations

import json

from sandbox.policytools.findings import FORMS, Finding, finding
from sandbox.policytools.places import Place

FOUND = [
    Finding("shadowed", "a,b:c%.toml", 7, "100% of: x,\r\ny"),
    Finding("invalid", "p.toml", 0, "plain"),
]


def test_text() -> None:
    assert FORMS["text"](FOUND)[1] == "p.toml: invalid: plain"
    assert FORMS["text"](FOUND)[0].startswith("a,b:c%.toml:7: shadowed: ")


def test_json() -> None:
    [text] = FORMS["json"](FOUND)
    assert json.loads(text)["findings"][0] == FOUND[0]._asdict()
    assert json.loads(FORMS["json"]([])[0]) == {"findings": []}


def test_github_escapes_what_would_end_a_property_or_a_line() -> None:
    assert FORMS["github"](FOUND) == [
        "::error file=a%2Cb%3Ac%25.toml,line=7,title=policy check%3A shadowed::100%25 of: x,%0D%0Ay",
        "::error file=p.toml,line=1,title=policy check%3A invalid::plain",
    ]


def test_messages_are_made_printable() -> None:
    assert finding("k", Place("f", 1), "a\x1b[2J\nb").message == r"a\x1b[2J\nb"
