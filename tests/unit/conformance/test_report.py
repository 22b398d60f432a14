"""What is printed of results, in each format."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from sandbox.conformance import report
from sandbox.conformance.suite import Checked, Part

GOOD = Checked("good", "it holds", "getpid", "5", ())
BAD = Checked(
    "bad<&>", "it\x1b[31m does not", "clone", "EPERM", ("expected ENOSYS, got EPERM\n",), "t.toml:7"
)
PARTS = [
    Part("ostoo", "Processes", (GOOD, BAD), ("1 probe of exit is not made",)),
    Part("ostoo", "Files", (GOOD,)),
]


def test_text() -> None:
    lines = report.text(PARTS, "kernel").splitlines()
    assert lines[0].startswith("ostoo on Linux ")
    assert lines[0].endswith(", --vfork kernel")
    assert lines[2:4] == [
        "  Processes      2 rows  1 do NOT hold",
        "  Files          1 rows  all hold",
    ]
    assert "bad<&> (t.toml:7)" in lines
    assert "note: 1 probe of exit is not made" in lines
    assert lines[-1] == "1 of 3 rows do not hold"
    assert all(line.isprintable() for line in lines)


def test_text_where_all_hold() -> None:
    assert report.text(PARTS[1:], None).splitlines()[-1] == "all 1 rows hold"
    assert report.holds(PARTS[1:])
    assert not report.holds(PARTS)


def test_nothing_tried_is_not_all_well() -> None:
    assert not report.holds([])
    assert not report.holds([Part("ostoo", "Files", ())])


def test_json() -> None:
    document = json.loads(report.as_json(PARTS, None))
    assert (document["holds"], document["vfork"]) == (False, None)
    assert [row["holds"] for part in document["parts"] for row in part["rows"]] == [True, False, True]
    assert document["parts"][0]["rows"][1]["differences"] == ["expected ENOSYS, got EPERM\n"]


def test_junit() -> None:
    suites = ElementTree.fromstring(report.junit(PARTS))
    assert [(one.get("name"), one.get("tests"), one.get("failures")) for one in suites] == [
        ("ostoo: Processes", "2", "1"),
        ("ostoo: Files", "1", "0"),
    ]
    [failure] = suites.iter("failure")
    assert "expected ENOSYS, got EPERM" in (failure.get("message") or "")
    assert "\x1b" not in (failure.text or "")
