"""What a derived probe met, beside its verdict."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.audit.records import CallRecord
from sandbox.conformance import compare
from sandbox.conformance.derive import ARENA, PROBER_PID, STACK, Derived
from sandbox.conformance.probe import Result, arena, stack
from sandbox.outcome import Allow, Kill, Refuse, Return, Rewrite, Verdict, Write
from sandbox.syscalls.call import Call

NR = 39


def record(verdict: str, rule: str = "r", nr: int = NR) -> CallRecord:
    return CallRecord(0, 0, 1, 1, nr, "getpid", {}, verdict, None, rule, None)


def met(rax: int | None = None, says: str | None = None, **more: Any) -> Result:
    return Result(rax, record=None if says is None else record(says), **more)


def problem(verdict: Verdict, usual: Result, recorded: Result | None, *, marked: bool = True) -> str:
    return compare.problem(Derived("id", Call(NR), verdict), usual, recorded, marked=marked)


DIED = met(died="SIGSYS")


@pytest.mark.parametrize(
    ("verdict", "usual", "recorded"),
    [
        (Allow("r"), met(7), met(8, "allow")),
        (Allow("r"), met(-9), met(-9, "allow")),
        (Refuse(38, "r"), met(-38, "refuse"), met(-38, "refuse")),
        (Refuse(38, "r", recorded=False), met(-38), met(-38, "refuse")),
        (Return(5, "r"), met(5, "return"), met(5, "return")),
        (Return(PROBER_PID, "r"), met(812, "return"), met(813, "return")),
        (Return(0, "r", (Write(0, b"x"),)), met(-14, "return"), met(-14, "return")),
        (Return(0, "r", (Write(ARENA, b"x"),)), met(0, "return"), met(0, "return")),
        (Rewrite(((0, 1),), "r"), met(-9, "rewrite"), met(3, "rewrite")),
        (Kill("r"), met(says="kill", died="SIGSYS"), None),
        (Kill("x32"), DIED, None),
    ],
)
def test_what_is_as_the_verdict_says(verdict: Verdict, usual: Result, recorded: Result | None) -> None:
    assert problem(verdict, usual, recorded) == ""


@pytest.mark.parametrize(
    ("verdict", "usual", "recorded", "words"),
    [
        (Allow("r"), met(-38), met(7, "allow"), "came back with 7, but with ENOSYS when not recorded"),
        (Allow("r"), met(-1), met(-9, "allow"), "but with EPERM"),
        (Allow("r"), met(7), met(7, "refuse"), "the log says refuse by r"),
        (Allow("other"), met(7), met(7, "allow"), "expected allow by rule other, the log says allow by r"),
        (Allow("r"), met(7), met(7), "no record says that rule r decided"),
        (Allow("r"), DIED, met(7, "allow"), "expected let run, got SIGSYS"),
        (Allow("r"), met(hung=True), met(7, "allow"), "got no end"),
        (Allow("r"), met(exited=3), met(7, "allow"), "got exit with status 3"),
        (Refuse(38, "r"), met(-1, "refuse"), met(-38, "refuse"), "expected ENOSYS, got EPERM"),
        (Refuse(38, "r"), met(-38, "refuse"), met(0, "refuse"), "expected ENOSYS, got 0"),
        (Refuse(38, "r"), met(-38), met(-38, "refuse"), "no record"),
        (Refuse(38, "r", recorded=False), met(-38, "allow"), met(-38, "refuse"), "the log says allow"),
        (Return(5, "r"), met(6, "return"), met(5, "return"), "expected 5, got 6"),
        (Return(PROBER_PID, "r"), met(0, "return"), met(1, "return"), "expected the caller's pid, got 0"),
        (Return(0, "r", (Write(0, b"x"),)), met(0, "return"), met(0, "return"), "got 0"),
        (Rewrite(((0, 1),), "r"), met(3), met(3, "rewrite"), "no record"),
        (Kill("r"), met(-38, "kill"), None, "expected SIGSYS, got ENOSYS"),
        (Kill("r"), DIED, None, "no record"),
    ],
)
def test_what_is_not(verdict: Verdict, usual: Result, recorded: Result | None, words: str) -> None:
    assert words in problem(verdict, usual, recorded)


def test_records_that_belong_to_no_probe_are_not_missed() -> None:
    assert problem(Refuse(38, "r"), met(-38), met(-38, "refuse"), marked=False) == ""
    assert problem(Refuse(38, "r"), met(-38), met(-38), marked=False) != ""


def test_the_record_of_another_call_is_none() -> None:
    other = Result(-38, record=record("refuse", nr=NR + 1))
    assert "no record" in problem(Refuse(38, "r"), other, met(-38, "refuse"))


def test_addresses_find_their_places() -> None:
    call = Call(56, (0x4111, STACK, ARENA, 0, 0, 0))
    made = compare.as_probe(Derived("clone", call, Allow("r")))
    assert (made.nr, made.args[:3]) == (56, (0x4111, stack(), arena()))
    assert not made.isolate
    assert compare.as_probe(Derived("x", Call(1), Kill("r"))).isolate
