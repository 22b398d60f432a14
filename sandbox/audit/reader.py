"""Reads a log back. Whatever the file holds, the answer is records or one AuditError that names the line."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from sandbox.audit.chain import MAX_LINE, SCHEMA_VERSION
from sandbox.audit.records import FieldError, Object, Record, typed
from sandbox.errors import AuditError


class DamagedError(AuditError):
    """Line `line` (from 1) of a log is not what a writer leaves there, because of `reason`."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        self.reason = reason
        super().__init__(f"line {line}: {reason}")


class Line(NamedTuple):
    """One line of a log: its number from 1, its bytes without newline, its record.

    `record` is None for a last line that was cut off in the middle of its writing.
    """

    number: int
    raw: bytes
    record: Object | None


def open_log(path: str) -> BinaryIO:
    """A regular file to read bytes from; the caller closes it. Raises AuditError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name holds a NUL"
        raise AuditError(f"{shown(path)}: {reason}") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise AuditError(f"{shown(path)}: not a regular file")
    return os.fdopen(fd, "rb")


def read(path: str) -> Iterator[Record]:
    """The typed records of the log at `path`, in order.

    The file is opened when the first record is asked for. A last line cut off in the middle of its writing
    ends the records quietly; `verify` tells. Raises AuditError with file and line where the file cannot be
    read, a line is damaged or longer than 16 MiB, or a field is of the wrong type. The chain is not
    checked here.
    """
    with open_log(path) as stream:
        try:
            yield from records(stream)
        except AuditError as error:
            raise AuditError(f"{shown(path)}: {error}") from error


def records(stream: BinaryIO) -> Iterator[Record]:
    """The typed records of a stream. Raises AuditError (DamagedError where a line is at fault)."""
    for line in scan(stream):
        if line.record is not None:
            yield typed_line(line.number, line.record)


def typed_line(number: int, record: Object) -> Record:
    """The record of line `number`, typed. Raises DamagedError."""
    try:
        return typed(record)
    except FieldError as error:
        raise DamagedError(number, str(error)) from error


def scan(stream: BinaryIO) -> Iterator[Line]:
    """Every line with its record, the fields all records share checked.

    Raises AuditError: DamagedError where a line is at fault.
    """
    number = 0
    while raw := _next(stream):
        number += 1
        if raw.endswith(b"\n"):
            yield Line(number, raw[:-1], parse(raw[:-1], number))
        elif len(raw) > MAX_LINE:
            raise DamagedError(number, f"longer than {MAX_LINE} bytes")
        else:
            _check_cut(raw, number)
            yield Line(number, raw, None)


def _next(stream: BinaryIO) -> bytes:
    try:
        return stream.readline(MAX_LINE + 1)
    except OSError as error:
        raise AuditError(f"cannot be read: {error.strerror}") from error


def _check_cut(raw: bytes, number: int) -> None:
    begin = b'{"v":%d,"seq":%d,"t":' % (SCHEMA_VERSION, number - 1)
    if not raw.startswith(begin) and not begin.startswith(raw):
        raise DamagedError(number, "no newline at its end, and not the beginning of a record")


def parse(raw: bytes, number: int) -> Object:
    """The record in one line: a JSON object with `v`, `seq`, `t`, `event` and `prev`. Raises DamagedError."""
    try:
        record = _DECODER.decode(raw.decode("utf-8"))
    except json.JSONDecodeError as error:
        raise DamagedError(number, f"not JSON (column {error.colno}: {error.msg})") from error
    except UnicodeDecodeError as error:
        raise DamagedError(number, "not UTF-8 text") from error
    except RecursionError as error:
        raise DamagedError(number, "nested too deeply") from error
    except ValueError as error:
        raise DamagedError(number, f"not JSON ({shown(str(error))})") from error
    if type(record) is not dict:
        raise DamagedError(number, "not a JSON object")
    if reason := _envelope_fault(record):
        raise DamagedError(number, reason)
    return record


def _envelope_fault(record: Object) -> str:
    version = record.get("v")
    if type(version) is not int:
        return "not an audit record: it has no 'v'"
    if version != SCHEMA_VERSION:
        return f"schema version {str(version)[:20]}, but only {SCHEMA_VERSION} is known here"
    for key in ("seq", "t"):
        if type(record.get(key)) is not int or record[key] < 0:
            return f"{key!r} is not a count"
    event = record.get("event")
    if type(event) is not str or not event:
        return "'event' is not a name"
    prev = record.get("prev")
    if type(prev) is not str or len(prev) != 64 or prev.strip("0123456789abcdef"):
        return "'prev' is not a SHA-256"
    return ""


def _unique(pairs: list[tuple[str, Any]]) -> Object:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return made


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def shown(text: str) -> str:
    """`text` as it may stand in a message of one line."""
    return text if text.isprintable() else ascii(text)
