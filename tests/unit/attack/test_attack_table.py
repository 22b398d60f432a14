"""How results of attacks are shown, and when all is well."""

from __future__ import annotations

import pytest

from sandbox.attack.programs import Program
from sandbox.attack.table import Result, as_dict, header, rows, summary
from sandbox.attack.verdict import Native, Verdict, Way

HELD = Verdict("contained", "errno", "contained: errno 1")
KILLED = Verdict("contained", "killed", "foreign")
OUT = Verdict("ESCAPED", "", "ESCAPED: \x1b[2Jread")
BROKEN = Verdict("error", "", "status 139")
WAY = Way("a\x1b", "cannot", "needs root")
PROGRAM = Program("one", "/one", (1, 2), frozenset({"errno"}))


def result(native: Native | None, *verdicts: Verdict) -> Result:
    return Result(PROGRAM, native, dict(zip(("default", "ostoo"), verdicts, strict=True)))


@pytest.mark.parametrize(
    ("one", "contained"),
    [
        (result(None, HELD, KILLED), True),
        (result(Native("works", ""), HELD, HELD), True),
        (result(Native("cannot", "root"), HELD, HELD), True),
        (result(Native("fails", ""), HELD, HELD), False),
        (result(None, HELD, OUT), False),
        (result(None, BROKEN, HELD), False),
    ],
)
def test_all_must_be_contained(one: Result, contained: bool) -> None:
    assert one.is_contained is contained


def test_a_row_has_a_cell_for_each_policy() -> None:
    assert header(["default", "ostoo"], True).split() == ["program", "classes", "native", "default", "ostoo"]
    [line] = rows(result(Native("works", ""), HELD, KILLED))
    assert line.split() == ["one", "1,2", "works", "contained", "(errno)", "contained", "(killed)"]


def test_what_is_not_as_it_should_be_is_told_below_the_row() -> None:
    lines = list(rows(result(Native("cannot", "needs root"), OUT, BROKEN)))
    assert lines[1:] == [
        "    natively: needs root",
        "    default: ESCAPED: \\x1b[2Jread",
        "    ostoo: status 139",
    ]


def test_ways_that_are_not_real_are_named_if_asked() -> None:
    one = result(Native("works", "2 ways, 1 of them real here", (Way("b", "works", "open"), WAY)), HELD, HELD)
    assert list(rows(one))[1:] == ["    natively: 2 ways, 1 of them real here"]
    assert list(rows(one, verbose=True))[2:] == ["      cannot a\\x1b: needs root"]
    assert summary([one]).endswith("of 2 ways 1 are real here")


def test_summary_counts_runs() -> None:
    results = [result(None, HELD, OUT), result(None, BROKEN, KILLED)]
    assert summary(results) == ("2 attack programs, 2 classes, 4 runs: 2 contained, 1 ESCAPED, 1 in error")
    assert summary([result(Native("works", ""), HELD, HELD)]).endswith(
        "; natively 1 work, 0 cannot be shown here, 0 fail; of 0 ways 0 are real here"
    )


def test_json() -> None:
    assert as_dict(result(Native("cannot", "root", (WAY,)), HELD, OUT)) == {
        "program": "one",
        "classes": [1, 2],
        "native": {"state": "cannot", "detail": "root", "ways": [WAY._asdict()]},
        "policies": {"default": HELD._asdict(), "ostoo": OUT._asdict()},
    }
