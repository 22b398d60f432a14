"""Verifies a log: that no line was changed, removed, added or moved since it was written.

The chain proves order and content up to the last line, which nothing follows: who can rewrite the whole
file can rewrite the chain, and who can cut its end leaves a shorter good log. Keep `Report.head` elsewhere
to notice either.
"""

from __future__ import annotations

from typing import BinaryIO, Literal, NamedTuple

from sandbox.audit.chain import FIRST_PREV, link
from sandbox.audit.reader import DamagedError, Line, open_log, scan, shown, typed_line
from sandbox.audit.records import Object
from sandbox.errors import AuditError

State = Literal["complete", "truncated", "broken"]


class Report(NamedTuple):
    """What `verify` found.

    `complete`: every line verifies and the last is the `end` record. `truncated`: every whole line
    verifies, but there is no end record, or the last line is cut (`reason` says which). `broken`: `line`
    (from 1) does not verify, because of `reason`. `records` counts the verified ones; `head` is the SHA-256
    of the last of them, or 64 zeros.
    """

    state: State
    records: int
    head: str
    line: int = 0
    reason: str = ""


def verify(path: str) -> Report:
    """Verify the log at `path`. Raises AuditError only where the file cannot be read."""
    with open_log(path) as stream:
        try:
            return verify_stream(stream)
        except AuditError as error:
            raise AuditError(f"{shown(path)}: {error}") from error


def verify_stream(stream: BinaryIO) -> Report:
    """Verify a log from a stream. Raises AuditError only where the stream cannot be read."""
    count, head, last_t, ended = 0, FIRST_PREV, 0, False
    try:
        for line in scan(stream):
            if ended:
                raise DamagedError(line.number, "more lines after the end record")
            if line.record is None:
                return Report("truncated", count, head, line.number, "the last line is cut off")
            _check(line, line.record, count, head, last_t)
            count, head, last_t = count + 1, link(line.raw), line.record["t"]
            ended = line.record["event"] == "end"
    except DamagedError as error:
        return Report("broken", count, head, error.line, error.reason)
    if not ended:
        return Report("truncated", count, head, reason="no end record")
    return Report("complete", count, head)


def _check(line: Line, record: Object, count: int, head: str, last_t: int) -> None:
    if record["seq"] != count:
        raise DamagedError(line.number, f"seq is {str(record['seq'])[:20]}, but {count} was next")
    if record["prev"] != head:
        raise DamagedError(line.number, "prev is not the SHA-256 of the line before")
    if (count == 0) != (record["event"] == "start"):
        raise DamagedError(line.number, "the start record belongs on the first line, and only there")
    if record["t"] < last_t:
        raise DamagedError(line.number, "t goes backwards")
    typed_line(line.number, record)
