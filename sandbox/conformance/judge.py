"""A row beside what came of it: every difference in words. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from sandbox.conformance.probe import ARENA_SIZE, Place, Result, StepResult
from sandbox.conformance.rows import UNFORETOLD, Differs, Row
from sandbox.conformance.values import Ending, Expected
from sandbox.conformance.wire import signal_name
from sandbox.syscalls import errnos

Mode = Literal["emulate", "kernel", "native"]


def differences(row: Row, result: Result, mode: Mode = "emulate") -> list[str]:
    """What is not as the row says, one line each; empty where the row holds.

    Natively there is no log; where the row is meant to differ there, only the outcome and the registers are
    compared.
    """
    expect = expected_in(row, mode)
    found = list(_outcome(expect, result))
    if result.steps:
        found += _seen(row, expect, result, as_here=mode != "native" or not isinstance(row.native, Differs))
    elif not found:
        found += _lost(row)
    return found if mode == "native" else [*found, *_log(row, result)]


def _seen(row: Row, expect: Expected, result: Result, *, as_here: bool) -> Iterator[str]:
    """What the prober saw, which is also known of an isolated process that ended."""
    birth = expect.may_be_child and (result.rax or 0) > 0
    if not result.steps[0][-1].begun:
        yield "the judged call was not made"
    yield from _missing(row, result)
    if result.rax is not None:
        yield from _registers(row, result)
    if as_here:
        yield from (*_memory(row, result), *_steps(row, result), *_signals(row, result, birth=birth))
    if birth:
        yield from _child(row if as_here else row._replace(child=None), result)


def _missing(row: Row, result: Result) -> Iterator[str]:
    """Arguments that are the result of a step which had not come back by then: they were 0 instead."""
    for level, steps in enumerate(row.probe.levels):
        for nth, step in enumerate(steps):
            user = result.steps[level][nth]
            for arg in step.args:
                if not (user.begun and isinstance(arg, Place) and arg.kind == "result"):
                    continue
                used = result.steps[arg.number >> 8][arg.number & 0xFF]
                if used.rax is None or used.after > user.before:
                    yield f"step {level}.{nth}: there was no result:{arg.number >> 8}.{arg.number & 0xFF} yet"


def _lost(row: Row) -> Iterator[str]:
    """What cannot be known when the prober's own process is gone, as where none can be isolated."""
    if row.probe.before or row.signals or row.writes or row.writes_some or any(map(any, row.steps)):
        yield "the process ended, and what it did before is not known"


def expected_in(row: Row, mode: Mode) -> Expected:
    """What the row expects there: its own, or what is meant to differ."""
    other = row.kernel if mode == "kernel" else row.native if mode == "native" else None
    if isinstance(other, Differs):
        return other.expect
    return row.expect


def shown(result: Result) -> str:
    """What came of the judged call, for a person."""
    if result.rax is not None:
        return _number(result.rax)
    if result.died is not None:
        return f"killed by {result.died}"
    return "it hangs" if result.hung else f"exit {result.exited}"


def _number(value: int) -> str:
    return errnos.errno_name(-value) if -4096 < value < 0 else str(value)


def _outcome(expect: Expected, result: Result) -> Iterator[str]:
    if not _is(expect, result):
        yield f"expected {expect.words()}, got {shown(result)}"


def _is(expect: Expected, result: Result) -> bool:
    if expect.any:
        return any(_is(one, result) for one in expect.any)
    if expect.killed:
        return result.died == expect.killed
    if expect.exit is not None:
        return result.exited == expect.exit
    return result.rax is not None and _comes_to(expect, result.rax, result.steps[0])


def _comes_to(expect: Expected, rax: int, steps: Sequence[StepResult]) -> bool:
    if expect.any:
        return any(_comes_to(one, rax, steps) for one in expect.any)
    if expect.value is not None:
        return rax == expect.value
    if expect.result is not None:
        was = steps[expect.result].rax if expect.result < len(steps) else None
        return was is not None and rax == was + expect.plus
    if expect.child:
        return rax > 0
    return expect.low is not None and expect.low <= rax <= expect.high


def _registers(row: Row, result: Result) -> Iterator[str]:
    if wrong := result.changed_registers - row.registers:
        yield f"registers changed: {', '.join(sorted(wrong))}"
    if _failed(result) and result.steps[0][-1].childless is False:
        yield "there is a child"


def _failed(result: Result) -> bool:
    """Whether the judged call came back with an errno."""
    return result.rax is not None and -4096 < result.rax < 0


def _memory(row: Row, result: Result) -> Iterator[str]:
    if row.writes is None and row.writes_some is None and (row.writes_anything or not _failed(result)):
        return
    if row.writes_some is not None:
        yield from _filled(row.writes_some, result.memory_changed)
        return
    offset, data = row.writes or (0, b"")
    if result.looked != data:
        yield f"memory at {offset} holds {_hex(result.looked)}, expected {_hex(data)}"
    first, end = result.memory_changed or (ARENA_SIZE, 0)
    if first < min(offset, end) or end > max(offset + len(data), first):
        yield f"memory from {first} to {end} has changed"


def _filled(wanted: tuple[int, int], changed: tuple[int, int] | None) -> Iterator[str]:
    """Of bytes nobody can foretell some stay as they were; so many at an end of theirs do not."""
    offset, size = wanted
    first, end = changed or (0, 0)
    if not offset <= first < offset + UNFORETOLD or not offset + size - UNFORETOLD < end <= offset + size:
        yield f"memory from {first} to {end} has changed, expected all of {offset} to {offset + size}"


def _hex(data: bytes) -> str:
    return data[:32].hex(" ") + (" …" if len(data) > 32 else "")


def _steps(row: Row, result: Result) -> Iterator[str]:
    for level, wanted in enumerate(row.steps):
        for nth, expect in enumerate(wanted):
            if expect is None:
                continue
            step = result.steps[level][nth]
            if step.rax is None:
                yield f"step {level}.{nth}: expected {expect.words()}, and it did not come back"
            elif not _comes_to(expect, step.rax, result.steps[level]):
                yield f"step {level}.{nth}: expected {expect.words()}, got {_number(step.rax)}"
            elif expect.may_be_child and step.rax > 0 and step.status is None and row.probe.reap:
                yield f"step {level}.{nth}: there was no child to wait for"


def _signals(row: Row, result: Result, *, birth: bool) -> Iterator[str]:
    caught = tuple(signal_name(number) for number, _ in result.signals)
    if caught != row.signals:
        yield f"caught {', '.join(caught) or 'no signal'}, expected {', '.join(row.signals) or 'none'}"
    if birth:
        last = _last_moment(result)
        yield from (
            f"{signal_name(number)} was delivered before the child let go"
            for number, moment in result.signals
            if moment < last
        )


def _child(row: Row, result: Result) -> Iterator[str]:
    child = result.child
    if child is None:
        yield "the child did not run on the parent's memory"
        return
    if child.changed_registers:
        yield f"registers of the child are not as promised: {', '.join(sorted(child.changed_registers))}"
    if result.steps[0][-1].after < _last_moment(result):
        yield "the parent went on before the child let it"
    if row.child is not None and not _ended_so(child.status, row.child):
        yield f"the child ended with {_status(child.status)}, expected {_ending(row.child)}"


def _last_moment(result: Result) -> int:
    """When the last task of the judged call did the last thing that can be seen of it."""
    begun = result.child.begun if result.child else 0
    return max([begun, *(step.before for level in result.steps[1:] for step in level)])


def _ended_so(status: int | None, ending: Ending) -> bool:
    if status is None:
        return False
    if ending.exit is not None:
        return os.WIFEXITED(status) and os.WEXITSTATUS(status) == ending.exit
    return os.WIFSIGNALED(status) and signal_name(os.WTERMSIG(status)) == ending.signal


def _status(status: int | None) -> str:
    if status is None:
        return "nothing that could be waited for"
    if os.WIFSIGNALED(status):
        return signal_name(os.WTERMSIG(status))
    return f"exit {os.WEXITSTATUS(status)}"


def _ending(ending: Ending) -> str:
    return ending.signal or f"exit {ending.exit}"


def _log(row: Row, result: Result) -> Iterator[str]:
    record = result.record
    if row.no_record and record is not None:
        yield f"expected no record, got {record.call} {record.verdict}"
    if row.record is not None and record is None:
        yield "there is no record of the call"
    elif row.record is not None and record is not None:
        yield from (f"record: {one}" for one in _fields(row.record, record._asdict()))
    yield from _events(row.events, result.records)


def _fields(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> Iterator[str]:
    for name, value in wanted.items():
        found = got.get(name)
        if isinstance(value, dict) and isinstance(found, dict):
            yield from (f"{name}: {one}" for one in _fields(value, found))
        elif found != value:
            yield f"{name} is {found!r}, expected {value!r}"


def _events(wanted: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Each in the order given, whatever lies between."""
    left = iter(records)
    for one in wanted:
        if not any(not list(_fields(one, record)) for record in left):
            words = ", ".join(f"{name} {value}" for name, value in one.items())
            yield f"no record in its place: {words}"
            return
