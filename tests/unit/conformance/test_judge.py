"""Each way a row can fail to hold is told; one that holds is not."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.audit.records import CallRecord
from sandbox.conformance.judge import Mode, differences
from sandbox.conformance.probe import Child, Probe, Result, Step, StepResult
from sandbox.conformance.probe import result as result_of
from sandbox.conformance.rows import Differs, Row
from sandbox.conformance.values import Ending, Expected

ENOSYS = Expected(value=-38)


def row(expect: Expected = ENOSYS, **fields: Any) -> Row:
    return Row("id", "says", "title", "ostoo", fields.pop("probe", Probe(56)), expect, **fields)


def came_back(rax: int, **fields: Any) -> Result:
    judged = StepResult(
        rax,
        True,
        fields.pop("begun_at", 1),
        fields.pop("after", 9),
        childless=fields.pop("childless", None),
        status=fields.get("status"),
    )
    fields.pop("status", None)
    steps = ((*fields.pop("before", ()), judged), *fields.pop("children", ((StepResult(),),)))
    return Result(rax=rax, steps=steps, **fields)


def ended(*before: StepResult, made: bool = True, **fields: Any) -> Result:
    """An isolated process that ended, at the judged call or before it."""
    return Result(steps=((*before, StepResult(None, made)), ()), **fields)


CHILD = Child(frozenset(), 64, 2, 7 << 8)
BIRTH = Expected(child=True)
CHILD_OR_NOT = Expected(any=(BIRTH, ENOSYS))
USES_CHILD = row(
    probe=Probe(62, (result_of(0, 1),), before=(Step(56),), children=((Step(39),),)),
)
LOST = "the process ended, and what it did before is not known"
RECORD = CallRecord(1, 2, 3, 3, 56, "clone", {"flags": "SIGCHLD"}, "refuse", "ENOSYS", "clone-flags", None)


HOLD: list[tuple[Row, Result]] = [
    (row(), came_back(-38, childless=True)),
    (row(Expected(low=1)), came_back(5)),
    (row(Expected(low=1, high=5)), came_back(5)),
    (row(Expected(killed="SIGSYS")), Result(died="SIGSYS")),
    (row(Expected(exit=3)), Result(exited=3)),
    (row(Expected(any=(ENOSYS, Expected(exit=3)))), Result(exited=3)),
    (row(Expected(result=0), probe=Probe(39, before=())), came_back(5, before=(StepResult(5, True),))),
    (
        row(Expected(result=0, plus=4096), probe=Probe(39, before=())),
        came_back(4101, before=(StepResult(5, True),)),
    ),
    (row(Expected(value=32), writes_some=(64, 32)), came_back(32, memory_changed=(64, 96))),
    (row(Expected(value=32), writes_some=(64, 32)), came_back(32, memory_changed=(79, 81))),
    (row(BIRTH, child=Ending(exit=7)), came_back(70, child=CHILD)),
    (row(CHILD_OR_NOT, child=Ending(exit=7)), came_back(70, child=CHILD)),
    (row(CHILD_OR_NOT, child=Ending(exit=7)), came_back(-38, childless=True)),
    (row(steps=((BIRTH,),)), came_back(-38, before=(StepResult(70, True, status=0),))),
    (
        row(steps=((BIRTH,),), probe=Probe(56, reap=False)),
        came_back(-38, before=(StepResult(70, True),)),
    ),
    (
        row(Expected(exit=3), probe=Probe(231, before=(Step(39),)), steps=((Expected(low=1),),)),
        ended(StepResult(5, True), exited=3),
    ),
    (
        USES_CHILD,
        came_back(
            -38, before=(StepResult(7, True, 1, 4),), children=((StepResult(5, True, 2, 3),),), begun_at=5
        ),
    ),
    (row(Expected(exit=3), writes=(8, b"ab")), ended(exited=3, looked=b"ab", memory_changed=(8, 10))),
    (row(Expected(low=-4095), writes_anything=True), came_back(-38, memory_changed=(3, 4))),
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
    (
        row(Expected(low=-4095), probe=Probe(56, before=(Step(39),))),
        came_back(-38, before=(StepResult(5, True),), childless=False),
        "there is a child",
    ),
    (row(), came_back(-38, memory_changed=(3, 4)), "memory from 3 to 4 has changed"),
    (
        row(Expected(any=(ENOSYS, BIRTH))),
        came_back(-38, memory_changed=(1, 4)),
        "memory from 1 to 4 has changed",
    ),
    (row(Expected(low=-4095)), came_back(-38, memory_changed=(2, 4)), "memory from 2 to 4 has changed"),
    (
        row(CHILD_OR_NOT, child=Ending(exit=9)),
        came_back(70, child=CHILD),
        "the child ended with exit 7, expected exit 9",
    ),
    (row(CHILD_OR_NOT), came_back(70), "the child did not run on the parent's memory"),
    (
        row(steps=((BIRTH,),)),
        came_back(-38, before=(StepResult(70, True),)),
        "step 0.0: there was no child to wait for",
    ),
    (row(Expected(exit=3)), ended(exited=3, made=False), "the judged call was not made"),
    (
        USES_CHILD,
        came_back(-38, before=(StepResult(7, True, 1, 4),)),
        "step 0.1: there was no result:1.0 yet",
    ),
    (
        USES_CHILD,
        came_back(
            -38, before=(StepResult(7, True, 1, 4),), children=((StepResult(5, True, 2, 6),),), begun_at=5
        ),
        "step 0.1: there was no result:1.0 yet",
    ),
    (
        row(Expected(exit=3), steps=((ENOSYS,),)),
        ended(StepResult(5, True), exited=3),
        "step 0.0: expected ENOSYS, got 5",
    ),
    (
        row(Expected(exit=3), steps=((), (Expected(value=0),))),
        Result(exited=3, steps=((StepResult(None, True),), (StepResult(),))),
        "step 1.0: expected 0, and it did not come back",
    ),
    (
        row(Expected(exit=3), writes=(0, b"a")),
        ended(exited=3, looked=b"b"),
        "memory at 0 holds 62, expected 61",
    ),
    (
        row(Expected(exit=3), signals=("SIGUSR1",)),
        ended(exited=3),
        "caught no signal, expected SIGUSR1",
    ),
    (row(Expected(exit=3)), ended(exited=3, signals=((10, 1),)), "caught SIGUSR1, expected none"),
    (row(Expected(exit=3), probe=Probe(231, before=(Step(39),))), Result(exited=3), LOST),
    (row(Expected(exit=3), signals=("SIGUSR1",)), Result(exited=3), LOST),
    (row(Expected(exit=3), writes=(0, b"")), Result(exited=3), LOST),
    (row(Expected(exit=3), steps=((), (ENOSYS,))), Result(exited=3), LOST),
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
    (
        row(Expected(result=0, plus=4096)),
        came_back(5, before=(StepResult(5, True),)),
        "expected what step 0 answered, and 4096 more, got 5",
    ),
    (
        row(Expected(value=32), writes_some=(64, 32)),
        came_back(32),
        "memory from 0 to 0 has changed, expected all of 64 to 96",
    ),
    (
        row(Expected(value=32), writes_some=(64, 32)),
        came_back(32, memory_changed=(63, 96)),
        "memory from 63 to 96 has changed, expected all of 64 to 96",
    ),
    (
        row(Expected(value=32), writes_some=(64, 32)),
        came_back(32, memory_changed=(64, 97)),
        "memory from 64 to 97 has changed, expected all of 64 to 96",
    ),
    (
        row(Expected(value=32), writes_some=(64, 32)),
        came_back(32, memory_changed=(64, 80)),
        "memory from 64 to 80 has changed, expected all of 64 to 96",
    ),
]


@pytest.mark.parametrize(("one", "result"), HOLD)
def test_holds(one: Row, result: Result) -> None:
    assert differences(one, result) == []


@pytest.mark.parametrize(
    ("one", "result", "words"), FAIL, ids=[f"{nth}-{words}" for nth, (_, _, words) in enumerate(FAIL)]
)
def test_fails(one: Row, result: Result, words: str) -> None:
    assert differences(one, result) == [words]


def test_natively_too_a_step_before_counts() -> None:
    one = row(Expected(exit=3), native=Expected(exit=3), probe=Probe(231, before=(Step(39),)))
    assert differences(one, ended(StepResult(None, True), made=False, exited=3), "native") == [
        "the judged call was not made"
    ]


@pytest.mark.parametrize(("mode", "rax"), [("emulate", -38), ("kernel", 1), ("native", 2)])
def test_what_is_meant_to_differ(mode: Mode, rax: int) -> None:
    one = row(kernel=Differs(Expected(value=1), "B"), native=Differs(Expected(value=2), "B"))
    assert differences(one, came_back(rax), mode) == []
    assert differences(one, came_back(-1), mode) != []


def test_there_is_no_log_natively() -> None:
    one = row(native=ENOSYS, record={"verdict": "refuse"}, events=({"event": "a"},))
    assert differences(one, came_back(-38), "native") == []
