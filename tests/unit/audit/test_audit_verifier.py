"""Verification: each kind of tampering is found, and at its line; a log cut short is not tampering."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import audit
from sandbox.audit.verifier import Report, verify_stream
from sandbox.errors import AuditError

Lines = list[bytes]
ZERO = "0" * 64


def verify(data: bytes) -> Report:
    return verify_stream(io.BytesIO(data))


def head(line: bytes) -> str:
    return hashlib.sha256(line.removesuffix(b"\n")).hexdigest()


def chained(records: list[dict[str, Any]]) -> bytes:
    """Lines with a good chain, whatever they say: a log by someone who can rewrite it whole."""
    data, prev = b"", ZERO
    for record in records:
        line = json.dumps({**record, "prev": prev}).encode()
        data, prev = data + line + b"\n", head(line)
    return data


def rechained(lines: Lines, change: Callable[[list[dict[str, Any]]], object]) -> bytes:
    records = [json.loads(line) for line in lines]
    change(records)
    return chained(records)


def test_a_whole_log_is_complete(tmp_path: Path, sample: Lines) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(sample))
    assert audit.verify(str(path)) == Report("complete", 12, head(sample[-1]))


def test_the_test_of_rewritten_logs_rewrites_well(sample: Lines) -> None:
    assert verify(rechained(sample, lambda records: None)).state == "complete"


@pytest.mark.parametrize("kept", range(12))
def test_a_log_without_its_end_verifies_so_far(sample: Lines, kept: int) -> None:
    expected = head(sample[kept - 1]) if kept else ZERO
    assert verify(b"".join(sample[:kept])) == Report("truncated", kept, expected, reason="no end record")


def test_a_last_line_cut_at_any_byte_verifies_so_far(sample: Lines) -> None:
    whole = b"".join(sample)
    for cut in range(1, len(sample[-1])):
        report = verify(whole[: len(whole) - cut])
        assert report == Report("truncated", 11, head(sample[-2]), 12, "the last line is cut off")


def edit(n: int, old: bytes, new: bytes) -> Callable[[Lines], Lines]:
    def change(lines: Lines) -> Lines:
        assert old in lines[n]
        return [*lines[:n], lines[n].replace(old, new, 1), *lines[n + 1 :]]

    return change


TAMPERING: dict[str, tuple[Callable[[Lines], Lines], int, str]] = {
    "verdict edited": (edit(6, b"refuse", b"allow_"), 8, "prev"),
    "space added": (edit(3, b'"pid":7', b'"pid": 7'), 5, "prev"),
    "first line edited": (edit(0, b"spawn", b"spown"), 2, "prev"),
    "prev edited": (edit(4, b'"prev":"', b'"prev":"0'), 5, "'prev'"),
    "prev replaced": (lambda ls: edit(4, json.loads(ls[4])["prev"].encode(), ZERO.encode())(ls), 5, "prev"),
    "seq edited": (edit(4, b'"seq":4', b'"seq":5'), 5, "seq is 5, but 4"),
    "line removed": (lambda ls: ls[:4] + ls[5:], 5, "seq is 5, but 4"),
    "first line removed": (lambda ls: ls[1:], 1, "seq is 1, but 0"),
    "line doubled": (lambda ls: ls[:5] + ls[4:], 6, "seq is 4, but 5"),
    "lines swapped": (lambda ls: [*ls[:4], ls[5], ls[4], *ls[6:]], 5, "seq is 5, but 4"),
    "line inserted": (
        lambda ls: [*ls[:4], edit(4, b"exec", b"exit")(ls)[4], *ls[4:]],
        5,
        "'code' and 'signal'",
    ),
    "empty line": (lambda ls: [*ls[:4], b"\n", *ls[4:]], 5, "not JSON"),
    "carriage return": (lambda ls: [*ls[:4], ls[4][:-1] + b"\r\n", *ls[5:]], 6, "prev"),
    "binary junk": (lambda ls: [*ls[:4], b"\xff\n", *ls[4:]], 5, "not UTF-8"),
    "more after the end": (lambda ls: [*ls, ls[-1]], 13, "after the end"),
    "junk after the end": (lambda ls: [*ls, b"x"], 13, "no newline"),
    "newline removed": (lambda ls: [*ls[:4], ls[4][:-1], *ls[5:]], 5, "not JSON"),
}


@pytest.mark.parametrize(("tamper", "line", "reason"), TAMPERING.values(), ids=TAMPERING)
def test_tampering_is_found(sample: Lines, tamper: Callable[[Lines], Lines], line: int, reason: str) -> None:
    report = verify(b"".join(tamper(sample)))
    assert (report.state, report.line, report.records) == ("broken", line, line - 1)
    assert reason in report.reason


def test_every_changed_byte_of_a_line_that_has_a_successor_is_found(sample: Lines) -> None:
    data = bytearray(b"".join(sample[:3]))
    for at in range(len(data) - len(sample[2])):
        data[at] ^= 1
        assert verify(bytes(data)).state == "broken", at
        data[at] ^= 1


REWRITTEN: dict[str, tuple[Callable[[list[dict[str, Any]]], object], int, str]] = {
    "version": (lambda rs: rs[2].update(v=2), 3, "schema version 2"),
    "seq gap": (lambda rs: rs[2].update(seq=9), 3, "seq is 9, but 2"),
    "no start": (lambda rs: rs[0].update(event="novel"), 1, "start record"),
    "second start": (lambda rs: rs[2].update(rs[0], seq=2), 3, "start record"),
    "time": (lambda rs: rs[2].update(t=1), 3, "t goes backwards"),
    "early end": (lambda rs: rs[2].update(rs[-1], seq=2, t=rs[2]["t"]), 4, "after the end"),
    "field": (lambda rs: rs[2].update(pid="7"), 3, "'pid'"),
}


@pytest.mark.parametrize(("change", "line", "reason"), REWRITTEN.values(), ids=REWRITTEN)
def test_a_good_chain_alone_does_not_verify(
    sample: Lines, change: Callable[[list[dict[str, Any]]], object], line: int, reason: str
) -> None:
    report = verify(rechained(sample, change))
    assert (report.state, report.line) == ("broken", line)
    assert reason in report.reason


def test_a_file_that_cannot_be_read_is_an_error_and_not_a_broken_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name, reason in (("missing", "No such file"), ("fifo", "not a regular file"), (".", "not a regular")):
        with pytest.raises(AuditError, match=reason):
            audit.verify(str(tmp_path / name))


@given(st.binary())
def test_bytes_no_writer_wrote_never_verify(data: bytes) -> None:
    report = verify(data)
    assert report.state in ("truncated", "broken")
    assert report.records == 0
    assert report.reason.isprintable()


START: dict[str, Any] = {
    "v": 1, "seq": 0, "t": 0, "event": "start", "time": "", "argv": [], "cwd": "", "policy": {}, "kernel": "",
    "enforcement": {}, "level": "",
}  # fmt: skip
SHORT = chained([START, *({"v": 1, "seq": n, "t": n, "event": "novel"} for n in range(1, 4))])


@given(st.integers(0, SHORT[:-1].rindex(b"\n")), st.binary(min_size=1) | st.sampled_from([b" ", b"\n", b"0"]))
def test_bytes_put_in_before_the_last_line_are_found(at: int, added: bytes) -> None:
    assert verify(SHORT) == Report("truncated", 4, head(SHORT.splitlines()[-1]), reason="no end record")
    report = verify(SHORT[:at] + added + SHORT[at:])
    assert report.state == "broken"
    assert report.reason.isprintable()
