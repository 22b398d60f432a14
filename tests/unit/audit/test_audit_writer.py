"""The writer: what a line holds, how lines are chained, and that no failure goes unnoticed."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pytest

from sandbox.audit.chain import MAX_LINE
from sandbox.audit.sinks import LineSink, Memory
from sandbox.audit.writer import AuditLog
from sandbox.errors import AuditError
from sandbox.outcome import Outcome


class Lines(LineSink):
    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.fail: BaseException | None = None
        self.closed = 0

    def write_line(self, line: bytes) -> None:
        if self.fail:
            raise self.fail
        self.kept.append(line)

    def close(self) -> None:
        self.closed += 1


class Clock:
    def __init__(self) -> None:
        self.now = 1000

    def __call__(self) -> int:
        return self.now


def test_a_line_has_its_fields_in_order_and_nothing_else() -> None:
    sink, clock = Lines(), Clock()
    log = AuditLog([sink], clock)
    clock.now += 25
    log.emit("signal", pid=4, signal="SIGHUP", **{"from": "kernel"})
    expected = (
        '{"v":1,"seq":0,"t":25,"event":"signal","pid":4,"signal":"SIGHUP","from":"kernel","prev":"'
        + "0" * 64
        + '"}\n'
    )
    assert sink.kept == [expected.encode()]


def test_an_event_without_fields_is_a_whole_record() -> None:
    sink = Lines()
    AuditLog([sink], Clock()).emit("odd")
    assert json.loads(sink.kept[0]) == {"v": 1, "seq": 0, "t": 0, "event": "odd", "prev": "0" * 64}


def test_each_line_names_the_hash_of_the_one_before() -> None:
    sink = Lines()
    log = AuditLog([sink])
    for n in range(5):
        log.emit("odd", n=n)
    records = [json.loads(line) for line in sink.kept]
    hashes = [hashlib.sha256(line.removesuffix(b"\n")).hexdigest() for line in sink.kept]
    assert [record["seq"] for record in records] == [0, 1, 2, 3, 4]
    assert [record["prev"] for record in records] == ["0" * 64, *hashes[:-1]]


@pytest.mark.parametrize(
    "text", ["a\nb", "\r", "\x1b[2J", "\x85", "\u2028", "\u202e", "\x7f", "\udcff", "\0", '"\\']
)
def test_no_text_can_break_a_line(text: str) -> None:
    sink = Lines()
    AuditLog([sink]).emit("odd", path=text, **{text: 1})
    (line,) = sink.kept
    assert line.endswith(b"\n")
    assert all(0x20 <= byte < 0x7F for byte in line[:-1])
    record = json.loads(line)
    assert record["path"] == text
    assert record[text] == 1


def test_every_sink_gets_the_same_record() -> None:
    lines, first, second = Lines(), Memory(), Memory()
    log = AuditLog([first, lines, second], Clock())
    log.emit("limit", which="wall", value=1)
    log.emit("limit", which="cpu", value=2)
    parsed = [json.loads(line) for line in lines.kept]
    assert first.records == parsed == second.records
    assert first.records[0] is not second.records[0]


def test_without_a_sink_of_lines_there_is_no_chain() -> None:
    memory = Memory()
    AuditLog([memory], Clock()).emit("odd", n=1)
    assert memory.records == [{"v": 1, "seq": 0, "t": 0, "event": "odd", "n": 1}]


def test_without_sinks_nothing_happens() -> None:
    log = AuditLog([])
    assert not log.active
    log.emit("odd", v="not even looked at", n=object())
    log.end(Outcome("ok", ""), {})
    log.close()


@pytest.mark.parametrize("name", ["v", "seq", "t", "prev", "event"])
def test_a_field_cannot_shadow_the_envelope(name: str) -> None:
    sink = Lines()
    with pytest.raises(ValueError, match=name):
        AuditLog([sink]).emit("odd", **{name: 1})
    assert sink.kept == []


@pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, math.nan, math.inf])
def test_what_json_cannot_hold_is_refused_and_leaves_no_trace(value: Any) -> None:
    sink = Lines()
    log = AuditLog([sink])
    with pytest.raises((TypeError, ValueError)):
        log.emit("odd", value=value)
    log.emit("odd")
    assert [json.loads(line)["seq"] for line in sink.kept] == [0]


def test_a_record_no_reader_would_take_is_refused() -> None:
    sink = Lines()
    with pytest.raises(AuditError, match="longer than a reader"):
        AuditLog([sink]).emit("odd", text="x" * MAX_LINE)
    assert sink.kept == []


@pytest.mark.parametrize("failure", [AuditError("disk full"), KeyboardInterrupt()])
def test_after_a_failed_write_nothing_more_is_written(failure: BaseException) -> None:
    sink = Lines()
    log = AuditLog([sink])
    log.emit("odd")
    sink.fail = failure
    with pytest.raises(type(failure)):
        log.emit("odd")
    sink.fail = None
    assert log.failed
    with pytest.raises(AuditError, match="failed before"):
        log.emit("odd")
    assert len(sink.kept) == 1


def test_end_holds_the_outcome_and_the_counts() -> None:
    memory = Memory()
    outcome = Outcome("violation", "fork", signal="SIGSYS", rule="no-fork", waivers=("w",))
    AuditLog([memory]).end(outcome, {"fork": {"kill": 1}})
    (record,) = memory.records
    assert record["event"] == "end"
    assert record["calls"] == {"fork": {"kill": 1}}
    assert {key: record[key] for key in outcome.as_dict()} == outcome.as_dict()


def test_close_closes_every_sink_even_where_one_fails() -> None:
    class Stubborn(Lines):
        def close(self) -> None:
            raise AuditError("no")

    other = Lines()
    log = AuditLog([Stubborn(), other])
    with pytest.raises(AuditError, match="no"):
        log.close()
    assert other.closed == 1
    with pytest.raises(AuditError):
        log.emit("odd")


def test_the_size_is_that_of_the_largest_sink() -> None:
    sink, other = Lines(), Lines()
    sink.size, other.size = 10, 30
    assert AuditLog([sink, other, Memory()], Clock()).size == 30
    assert AuditLog().size == 0
