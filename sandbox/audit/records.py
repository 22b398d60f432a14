"""The records of a log as typed values, one class per event, and the one check of a record's fields.

Every class begins with `seq` and `t` (ns since start) of its record. Fields a newer writer added are
passed over; events it added become `Unknown`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Object = dict[str, Any]


class Start(NamedTuple):
    """The run began. `elf` is None where the program's facts could not be told. `program` is where its file
    was found; `files` are the places that are allowed, by right, as they were found."""

    seq: int
    t: int
    time: str
    argv: list[str]
    cwd: str
    policy: Object
    kernel: str
    enforcement: Object
    elf: Object | None
    level: str
    program: str | None = None
    files: dict[str, list[str]] | None = None


class CallRecord(NamedTuple):
    """A system call was judged. `errno` only where refused, `ret` only where the result was watched.
    `repeats`: how many equal calls this record stands for; None is one."""

    seq: int
    t: int
    pid: int
    tid: int
    nr: int
    call: str
    args: Object
    verdict: str
    errno: str | None
    rule: str | None
    ret: int | None
    repeats: int | None = None


class Child(NamedTuple):
    """`pid` made `child`; both register sets hold `"0x…"` by register name."""

    seq: int
    t: int
    pid: int
    child: int
    kind: str
    flags: str | None
    parent_regs: Object | None
    child_regs: Object | None


class VforkBlock(NamedTuple):
    """`pid` is held until `child` has exec'd or is gone."""

    seq: int
    t: int
    pid: int
    child: int


class VforkRelease(NamedTuple):
    """`pid` goes on, because of `cause`, after `blocked_ns` nanoseconds."""

    seq: int
    t: int
    pid: int
    child: int
    cause: str
    blocked_ns: int


class Exec(NamedTuple):
    """`pid` runs another program."""

    seq: int
    t: int
    pid: int
    path: str
    argv: list[str]
    elf: Object | None


class Signal(NamedTuple):
    """`pid` gets `signal`; `sender` is the record's `from`: a pid, or `"kernel"`."""

    seq: int
    t: int
    pid: int
    signal: str
    sender: int | str | None


class Exit(NamedTuple):
    """`pid` is gone: exactly one of `code` and `signal` is not None."""

    seq: int
    t: int
    pid: int
    code: int | None
    signal: str | None
    usage: Object | None


class Limit(NamedTuple):
    """A limit of the run was reached."""

    seq: int
    t: int
    which: str
    value: int | float | str


class End(NamedTuple):
    """The run is over: the outcome's fields, and how many calls of each name got each verdict."""

    seq: int
    t: int
    status: str
    reason: str
    exit_code: int | None
    signal: str | None
    rule: str | None
    usage: Object
    enforcement: Object
    waivers: list[str]
    calls: dict[str, dict[str, int]]


class Unknown(NamedTuple):
    """An event this version does not know; `fields` is the whole record."""

    seq: int
    t: int
    event: str
    fields: Object


Record = Start | CallRecord | Child | VforkBlock | VforkRelease | Exec | Signal | Exit | Limit | End | Unknown


class FieldError(ValueError):
    """A field is missing or of the wrong type; `str()` says which and what belongs there."""


class _Field(NamedTuple):
    name: str
    what: str
    good: Callable[[Any], bool]


def _is_integer(item: Any) -> bool:
    return type(item) is int


def _is_text(item: Any) -> bool:
    return type(item) is str


def _is_object(item: Any) -> bool:
    return type(item) is dict


def _is_texts(item: Any) -> bool:
    return type(item) is list and all(type(one) is str for one in item)


def _is_text_lists(item: Any) -> bool:
    return type(item) is dict and all(_is_texts(one) for one in item.values())


def _is_scalar(item: Any) -> bool:
    return type(item) in (int, float, str)


def _is_sender(item: Any) -> bool:
    return item is None or type(item) in (int, str)


def _is_counts(item: Any) -> bool:
    return type(item) is dict and all(
        type(by) is dict and all(type(count) is int for count in by.values()) for by in item.values()
    )


def _maybe(field: _Field) -> _Field:
    return _Field(field.name, f"{field.what} or null", lambda item: item is None or field.good(item))


def _integer(name: str) -> _Field:
    return _Field(name, "an integer", _is_integer)


def _text(name: str) -> _Field:
    return _Field(name, "text", _is_text)


def _texts(name: str) -> _Field:
    return _Field(name, "a list of texts", _is_texts)


def _object(name: str) -> _Field:
    return _Field(name, "an object", _is_object)


_PID = _integer("pid")
_CHILD = _integer("child")
_ELF = _maybe(_object("elf"))

_EVENTS: dict[str, tuple[Callable[..., Record], tuple[_Field, ...]]] = {
    "start": (
        Start,
        (
            _text("time"),
            _texts("argv"),
            _text("cwd"),
            _object("policy"),
            _text("kernel"),
            _object("enforcement"),
            _ELF,
            _text("level"),
            _maybe(_text("program")),
            _maybe(_Field("files", "an object of lists of texts", _is_text_lists)),
        ),
    ),
    "call": (
        CallRecord,
        (
            _PID,
            _integer("tid"),
            _integer("nr"),
            _text("call"),
            _object("args"),
            _text("verdict"),
            _maybe(_text("errno")),
            _maybe(_text("rule")),
            _maybe(_integer("ret")),
            _maybe(_integer("repeats")),
        ),
    ),
    "child": (
        Child,
        (
            _PID,
            _CHILD,
            _text("kind"),
            _maybe(_text("flags")),
            _maybe(_object("parent_regs")),
            _maybe(_object("child_regs")),
        ),
    ),
    "vfork-block": (VforkBlock, (_PID, _CHILD)),
    "vfork-release": (VforkRelease, (_PID, _CHILD, _text("cause"), _integer("blocked_ns"))),
    "exec": (Exec, (_PID, _text("path"), _texts("argv"), _ELF)),
    "signal": (Signal, (_PID, _text("signal"), _Field("from", "a pid, text or null", _is_sender))),
    "exit": (Exit, (_PID, _maybe(_integer("code")), _maybe(_text("signal")), _maybe(_object("usage")))),
    "limit": (Limit, (_text("which"), _Field("value", "a number or text", _is_scalar))),
    "end": (
        End,
        (
            _text("status"),
            _text("reason"),
            _maybe(_integer("exit_code")),
            _maybe(_text("signal")),
            _maybe(_text("rule")),
            _object("usage"),
            _object("enforcement"),
            _texts("waivers"),
            _Field("calls", "an object of objects of integers", _is_counts),
        ),
    ),
}


def typed(record: Object) -> Record:
    """The record (with a checked envelope) as its event's class. Raises FieldError."""
    event = record["event"]
    if event not in _EVENTS:
        return Unknown(record["seq"], record["t"], event, record)
    make, fields = _EVENTS[event]
    made = make(record["seq"], record["t"], *(_checked(record, field) for field in fields))
    if isinstance(made, Exit) and (made.code is None) == (made.signal is None):
        raise FieldError("exactly one of 'code' and 'signal' belongs in an exit record")
    return made


def _checked(record: Object, field: _Field) -> Any:
    item = record.get(field.name)
    if not field.good(item):
        raise FieldError(f"{field.name!r} of a {record['event']} record must be {field.what}")
    return item
