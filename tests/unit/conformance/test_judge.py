"""Each way a row can fail to hold is told; one that holds is not."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.audit.records import CallRecord
from sandbox.conformance.judge import Mode, differences
from sandbox.conformance.probe import Child, Probe, Result, StepResult
from sandbox.conformance.rows import Differs, Row
from sandbox.conformance.values import Ending, Expected

ENOSYS = Expected(value=-38)


def row(expect: Expected = ENOSYS, **fields: Any) -> Row:
    return Row("id", "says", "title", "ostoo", fields.pop("probe", Probe(56)), expect, **fields)


def came_back(rax: int, **fields: Any) -> Result:
    judged = StepResult(
        rax,
        True,
        1,
        fields.pop("after", 9),
        childless=fields.pop("childless", None),
        status=fields.get("status"),
    )
    fields.pop("status", None)
    steps = ((*fields.pop("before", ()), judged), *fields.pop("children", ((),)))
    return Result(rax=rax, steps=steps, **fields)


CHILD = Child(frozenset(), 64, 2, 7 << 8)
BIRTH = Expected(child=True)
RECORD = CallRecord(1, 2, 3, 3, 56, "clone", {"flags": "SIGCHLD"}, "refuse", "ENOSYS", "clone-flags", None)


HOLD: list[tuple[Row, Result]] = [
    (row(), came_back(-38, childless=True)),
    (row(Expected(low=1)), came_back(5)),
    (row(Expected(low=1, high=5)), came_back(5)),
    (row(Expected(killed="SIGSYS")), Result(died="SIGSYS")),
    (row(Expected(exit=3)), Result(exited=3)),
    (row(Expected(any=(ENOSYS, Expected(exit=3)))), Result(exited=3)),
    (row(Expected(result=0), probe=Probe(39, before=())), came_back(5, before=(StepResult(5, True),))),
    (row(BIRTH, child=Ending(exit=7)), came_back(70, child=CHILD)),
    (row(BIRTH, signals=("SIGUSR1",)), came_back(70, child=CHILD, signals=((10, 5),))),
    (row(registers=frozenset({"rdi"})), came_back(-38, changed_registers=frozenset({"rdi"}))),
    (row(Expected(value=0), writes=(8, b"ab")), came_back(0, looked=b"ab", memory_changed=(8, 10))),
    (row(Expected(value=0)), came_back(0, memory_changed=(8, 10))),
    (row(record={"verdict": "refuse", "args": {"flags": "SIGCHLD"}}), came_back(-38, record=RECORD)),
    (row(no_record=True), came_back(-38)),
    (
        row(events=({"event": "a"}, {"event": "b"})),
        came_back(-38, records=({"event": "a"}, {"event": "c"}, {"event": "b"})),
    ),
]

FAIL: list[tuple[Row, Result, str]] = [
    (row(), came_back(-1), "expected ENOSYS, got EPERM"),
    (row(), Result(died="SIGSYS"), "expected ENOSYS, got killed by SIGSYS"),
    (row(), Result(hung=True), "expected ENOSYS, got it hangs"),
    (row(Expected(exit=3)), Result(exited=4), "expected exit 3, got exit 4"),
    (row(Expected(low=1, high=5)), came_back(6), "expected 1 to 5, got 6"),
    (row(Expected(any=(ENOSYS,))), came_back(-1), "expected ENOSYS, got EPERM"),
    (
        row(Expected(result=0)),
        came_back(6, before=(StepResult(5, True),)),
        "expected what step 0 answered, got 6",
    ),
    (row(), came_back(-38, changed_registers=frozenset({"r9"})), "registers changed: r9"),
    (row(), came_back(-38, childless=False), "there is a child"),
    (row(writes=(0, b"")), came_back(-38, memory_changed=(3, 4)), "memory from 3 to 4 has changed"),
    (
        row(Expected(value=0), writes=(8, b"ab")),
        came_back(0, looked=b"ax"),
        "memory at 8 holds 61 78, expected 61 62",
    ),
    (
        row(Expected(value=0), writes=(8, b"ab")),
        came_back(0, looked=b"ab", memory_changed=(8, 11)),
        "memory from 8 to 11 has changed",
    ),
    (
        row(Expected(value=0), writes=(8, b"ab")),
        came_back(0, looked=b"ab", memory_changed=(7, 10)),
        "memory from 7 to 10 has changed",
    ),
    (row(BIRTH), came_back(70), "the child did not run on the parent's memory"),
    (
        row(BIRTH),
        came_back(70, child=CHILD._replace(changed_registers=frozenset({"r9"}))),
        "registers of the child are not as promised: r9",
    ),
    (row(BIRTH), came_back(70, child=CHILD._replace(begun=12)), "the parent went on before the child let it"),
    (
        row(BIRTH),
        came_back(70, child=CHILD, children=((StepResult(0, True, 12, 13),),)),
        "the parent went on before the child let it",
    ),
    (
        row(BIRTH, child=Ending(exit=8)),
        came_back(70, child=CHILD),
        "the child ended with exit 7, expected exit 8",
    ),
    (
        row(BIRTH, child=Ending(signal="SIGKILL")),
        came_back(70, child=CHILD),
        "the child ended with exit 7, expected SIGKILL",
    ),
    (
        row(BIRTH, child=Ending(exit=7)),
        came_back(70, child=CHILD._replace(status=None)),
        "the child ended with nothing that could be waited for, expected exit 7",
    ),
    (row(BIRTH), came_back(70, child=CHILD, signals=((10, 5),)), "caught SIGUSR1, expected none"),
    (
        row(BIRTH, signals=("SIGUSR1",)),
        came_back(70, child=CHILD, signals=((10, 1),)),
        "SIGUSR1 was delivered before the child let go",
    ),
    (
        row(steps=((Expected(value=0),),)),
        came_back(-38, before=(StepResult(-1, True),)),
        "step 0.0: expected 0, got EPERM",
    ),
    (
        row(steps=((Expected(value=0),),)),
        came_back(-38, before=(StepResult(None, True),)),
        "step 0.0: expected 0, and it did not come back",
    ),
    (row(no_record=True), came_back(-38, record=RECORD), "expected no record, got clone refuse"),
    (row(record={"verdict": "refuse"}), came_back(-38), "there is no record of the call"),
    (row(record={"rule": "x"}), came_back(-38, record=RECORD), "record: rule is 'clone-flags', expected 'x'"),
    (
        row(record={"args": {"flags": "x"}}),
        came_back(-38, record=RECORD),
        "record: args: flags is 'SIGCHLD', expected 'x'",
    ),
    (
        row(events=({"event": "b"}, {"event": "a"})),
        came_back(-38, records=({"event": "a"}, {"event": "b"})),
        "no record in its place: event a",
    ),
]


@pytest.mark.parametrize(("one", "result"), HOLD)
def test_holds(one: Row, result: Result) -> None:
    assert differences(one, result) == []


@pytest.mark.parametrize(("one", "result", "words"), FAIL, ids=[words for _, _, words in FAIL])
def test_fails(one: Row, result: Result, words: str) -> None:
    assert differences(one, result) == [words]


@pytest.mark.parametrize(("mode", "rax"), [("emulate", -38), ("kernel", 1), ("native", 2)])
def test_what_is_meant_to_differ(mode: Mode, rax: int) -> None:
    one = row(kernel=Differs(Expected(value=1), "B"), native=Differs(Expected(value=2), "B"))
    assert differences(one, came_back(rax), mode) == []
    assert differences(one, came_back(-1), mode) != []


def test_there_is_no_log_natively() -> None:
    one = row(native=ENOSYS, record={"verdict": "refuse"}, events=({"event": "a"},))
    assert differences(one, came_back(-38), "native") == []
