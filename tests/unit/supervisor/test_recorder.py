"""What the recorder writes of calls that repeat, and when it says that the log is full."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.outcome import Refuse
from sandbox.rules.files import Refusal
from sandbox.supervisor.recorder import (
    AT_MOST_OWED,
    MOST_NAMES,
    ONE_BY_ONE,
    OTHER_NAMES,
    UNEXPLAINED,
    Recorder,
)
from sandbox.supervisor.tracee import Task
from sandbox.syscalls.call import Call

RECORD = 100  # bytes a record takes in this log


class Log:
    active = True

    def __init__(self) -> None:
        self.written: list[tuple[str, dict[str, Any]]] = []

    @property
    def size(self) -> int:
        return RECORD * len(self.written)

    def emit(self, event: str, /, **fields: Any) -> None:
        self.written.append((event, fields))


def repeats(log: Log) -> list[int]:
    return [fields.get("repeats", 1) for _, fields in log.written]


@pytest.mark.parametrize("calls", [1, ONE_BY_ONE, ONE_BY_ONE + 1, ONE_BY_ONE + 3, AT_MOST_OWED * 2 + 20])
def test_every_call_is_counted_in_few_records(calls: int) -> None:
    log = Log()
    recorder = Recorder(log)
    for _ in range(calls):
        recorder.call({"call": "kill", "pid": 7})
    recorder.flush()
    assert sum(repeats(log)) == calls
    assert len(log.written) <= ONE_BY_ONE + 1 + calls // AT_MOST_OWED


def test_what_is_owed_comes_before_the_next_record() -> None:
    log = Log()
    recorder = Recorder(log)
    for name in ["kill"] * 10 + ["open"]:
        recorder.call({"call": name})
    assert [fields["call"] for _, fields in log.written] == ["kill"] * 9 + ["open"]
    assert repeats(log) == [1] * 8 + [2, 1]


def test_refused_paths_are_counted_too() -> None:
    log = Log()
    recorder = Recorder(log)
    for path in ["/a"] * 20 + ["/b"]:
        recorder.path_refused(
            {"call": "open", "args": {}, "ret": -13}, Refusal(path, "read", f"--read {path}"), -13
        )
    assert [fields["path"] for _, fields in log.written] == ["/a"] * 9 + ["/b"]
    assert (sum(repeats(log)), recorder.refused) == (21, 21)
    assert recorder.options == {("open", "files.read", 13): "--read /b"}


def test_a_path_that_no_option_allows_is_named_alone() -> None:
    log = Log()
    Recorder(log).path_refused({"call": "open"}, Refusal("/a/b", "read", ""), -13)
    assert [(fields["path"], "allow" in fields) for _, fields in log.written] == [("/a/b", False)]


def test_a_refusal_that_files_does_not_explain_names_no_path_and_makes_no_hint() -> None:
    log = Log()
    recorder = Recorder(log)
    recorder.path_refused({"call": "open", "args": {"path": "/a"}}, None, -13)
    [(_, fields)] = log.written
    assert (fields["rule"], fields["errno"]) == (UNEXPLAINED, "EACCES")
    assert not fields.keys() & {"path", "allow"}
    assert (recorder.refused, recorder.counts, recorder.refusals) == (1, {"open": {"refuse": 1}}, {})


@pytest.mark.parametrize(("most", "full_after"), [(None, None), (0, 1), (RECORD, 2), (RECORD * 3, 4)])
def test_the_log_is_full_with_the_record_that_takes_it_past_its_size(
    most: int | None, full_after: int | None
) -> None:
    recorder = Recorder(Log(), most)
    for count in range(1, 6):
        recorder.limit("wall", count)
        assert recorder.full == (full_after is not None and count >= full_after)


def test_what_is_owed_can_fill_the_log() -> None:
    recorder = Recorder(Log(), RECORD * ONE_BY_ONE)
    for _ in range(ONE_BY_ONE + AT_MOST_OWED - 1):
        recorder.call({"call": "kill"})
    assert not recorder.full
    recorder.call({"call": "kill"})
    assert recorder.full


def test_made_up_numbers_take_bounded_memory() -> None:
    log = Log()
    recorder = Recorder(log)
    for nr in range(1000, 4000):
        recorder.judged(Task(7, 7, 1), Call(nr), Refuse(38, "unlisted"), lambda _: None)
    assert len(recorder.counts) == MOST_NAMES + 1 == len(recorder.refusals)
    assert recorder.counts[OTHER_NAMES] == {"refuse": 3000 - MOST_NAMES}
    assert recorder.supervised == recorder.refused == 3000
