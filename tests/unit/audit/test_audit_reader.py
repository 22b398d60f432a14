"""The reader: typed records of a good log, and one AuditError with a line number for anything else."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import audit
from sandbox.audit import chain, reader
from sandbox.audit.records import (
    CallRecord,
    Child,
    End,
    Exec,
    Exit,
    Limit,
    Record,
    Signal,
    Start,
    Unknown,
    VforkBlock,
    VforkRelease,
)
from sandbox.errors import AuditError

PREV = "0" * 64


def record(**fields: Any) -> bytes:
    """A line with a good envelope, whatever its place."""
    return json.dumps({"v": 1, "seq": 0, "t": 0, "event": "odd", "prev": PREV, **fields}).encode() + b"\n"


def records(data: bytes) -> list[Record]:
    return list(reader.records(io.BytesIO(data)))


def test_every_event_has_its_type(tmp_path: Path, sample: list[bytes]) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(sample))
    expected = [
        Start, CallRecord, Child, VforkBlock, Exec, VforkRelease, CallRecord, Signal, Exit, Limit, Exit, End,
    ]  # fmt: skip
    found = list(audit.read(str(path)))
    assert [type(one) for one in found] == expected
    assert [one.seq for one in found] == list(range(len(expected)))
    assert [one.t for one in found] == [n * 1_000_000 for n in range(1, len(expected) + 1)]


def test_fields_arrive_where_they_belong(sample: list[bytes]) -> None:
    found = records(b"".join(sample))
    args = {"flags": "CLONE_VM|CLONE_VFORK|SIGCHLD", "child_stack": "0x7ffd0000"}
    assert found[1] == CallRecord(1, 2_000_000, 7, 7, 56, "clone", args, "allow", None, "clone-spawn", None)
    assert found[5] == VforkRelease(5, 6_000_000, 7, 8, "exec", 812_345)
    assert found[6] == CallRecord(6, 7_000_000, 8, 9, 57, "fork", {}, "refuse", "ENOSYS", "unlisted", None)
    assert found[7] == Signal(7, 8_000_000, 8, "SIGTERM", 7)
    assert found[8] == Exit(8, 9_000_000, 8, None, "SIGTERM", {"cpu_s": 0.25})
    end = found[11]
    assert isinstance(end, End)
    assert (end.status, end.exit_code, end.calls["fork"]) == ("ok", 0, {"refuse": 1})


def test_a_newer_event_is_unknown_and_a_newer_field_is_passed_over() -> None:
    found = records(record(event="novel", x=[1]) + record(event="vfork-block", pid=1, child=2, why="new"))
    assert isinstance(found[0], Unknown)
    assert found[0].fields["x"] == [1]
    assert found[1] == VforkBlock(0, 0, 1, 2)


def test_surrogates_of_undecodable_bytes_survive() -> None:
    (found,) = records(record(event="exec", pid=1, path="\udcff", argv=[], elf=None))
    assert isinstance(found, Exec)
    assert os.fsencode(found.path) == b"\xff"


@pytest.mark.parametrize("cut", [1, 2, 7, 20, -1])
def test_a_cut_last_line_is_passed_over(sample: list[bytes], cut: int) -> None:
    assert len(records(b"".join(sample[:3]) + sample[3][:cut])) == 3


CALL: dict[str, Any] = {
    "event": "call", "pid": 1, "tid": 1, "nr": 0, "call": "read", "args": {}, "verdict": "allow",
}  # fmt: skip
END: dict[str, Any] = {
    "event": "end", "status": "ok", "reason": "", "usage": {}, "enforcement": {}, "waivers": [], "calls": {},
}  # fmt: skip

WRONG_FIELDS = [
    ({**CALL, "pid": "1"}, "'pid'"),
    ({**CALL, "pid": True}, "'pid'"),
    ({**CALL, "pid": 1.0}, "'pid'"),
    ({**CALL, "args": []}, "'args'"),
    ({**CALL, "errno": 38}, "'errno'"),
    ({**CALL, "ret": "0"}, "'ret'"),
    ({**CALL, "verdict": None}, "'verdict'"),
    ({"event": "call"}, "'pid'"),
    ({"event": "exec", "pid": 1, "path": "x", "argv": ["a", 1]}, "'argv'"),
    ({"event": "exec", "pid": 1, "path": "x", "argv": [], "elf": 1}, "'elf'"),
    ({"event": "signal", "pid": 1, "signal": "SIGINT", "from": []}, "'from'"),
    ({"event": "exit", "pid": 1}, "exactly one"),
    ({"event": "exit", "pid": 1, "code": 1, "signal": "SIGINT"}, "exactly one"),
    ({"event": "limit", "which": "wall", "value": None}, "'value'"),
    ({**END, "calls": {"read": {"allow": "1"}}}, "'calls'"),
    ({**END, "calls": {"read": 1}}, "'calls'"),
    ({**END, "waivers": [1]}, "'waivers'"),
]


@pytest.mark.parametrize(("fields", "reason"), WRONG_FIELDS)
def test_a_field_of_the_wrong_type_names_its_line(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(AuditError, match=f"^line 2: .*{reason}"):
        records(record() + record(**fields))


WRONG_LINES = {
    "empty": (b"\n", "not JSON"),
    "binary": (b"\x00\xff\xfe\n", "not UTF-8"),
    "nul": (b"\x00\n", "not JSON"),
    "cut JSON": (b'{"v":1,\n', "not JSON"),
    "two values": (b"{} {}\n", "not JSON"),
    "a list": (b"[1]\n", "not a JSON object"),
    "NaN": (record().replace(b'"t": 0', b'"t": NaN'), "NaN"),
    "twice": (record().replace(b'"t": 0', b'"t": 0, "t": 1'), "stands twice"),
    "long number": (record().replace(b'"t": 0', b'"t": ' + b"9" * 5000), "not JSON"),
    "deep list": (b"[" * 100_000 + b"\n", "nested too deeply"),
    "deep object": (b'{"a":' * 100_000 + b"\n", "nested too deeply"),
    "utf-16": ("{}".encode("utf-16") + b"\n", "not UTF-8"),
    "no version": (b"{}\n", "not an audit record"),
    "true version": (record(v=True), "not an audit record"),
    "newer version": (record(v=2), "schema version 2"),
    "huge version": (record(v=10**4000), "schema version 1000"),
    "seq": (record(seq=-1), "'seq'"),
    "seq type": (record(seq="0"), "'seq'"),
    "t": (record(t=1.5), "'t'"),
    "event": (record(event=[]), "'event'"),
    "no event": (record(event=""), "'event'"),
    "prev": (record(prev="0" * 63), "'prev'"),
    "prev capital": (record(prev="A" * 64), "'prev'"),
    "prev type": (record(prev=0), "'prev'"),
}


@pytest.mark.parametrize(("line", "reason"), WRONG_LINES.values(), ids=WRONG_LINES)
def test_a_damaged_line_is_one_error_with_its_number(line: bytes, reason: str) -> None:
    with pytest.raises(reader.DamagedError) as caught:
        records(record() + line + record())
    assert caught.value.line == 2
    assert reason in caught.value.reason
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("tail", [b"junk", b"\x7fELF", b"[", b'{"v":2', b'{"v":1,"seq":7,"t"', b" "])
def test_a_last_line_that_no_writer_began_is_damage(tail: bytes) -> None:
    with pytest.raises(AuditError, match="line 2: no newline"):
        records(record() + tail)


def test_a_line_may_not_exceed_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chain.MAX_LINE == 16 * 1024 * 1024
    line = record()
    monkeypatch.setattr(reader, "MAX_LINE", len(line))
    assert len(records(line)) == 1
    with pytest.raises(AuditError, match="line 2: longer than"):
        records(line + record(x=1))


def test_the_file_is_named_in_front_of_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a\x1blog"
    path.write_bytes(record() + b"{}\n")
    with pytest.raises(AuditError, match=r"a\\x1blog'?: line 2: ") as caught:
        list(audit.read(str(path)))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "No such file"),
        (".", "not a regular file"),
        ("fifo", "not a regular file"),
        ("n\0", "NUL"),
    ],
)
def test_what_is_no_file_is_one_error(tmp_path: Path, name: str, reason: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(AuditError, match=reason) as caught:
        next(audit.read(f"{tmp_path}/{name}"))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_not_read(device: str) -> None:
    with pytest.raises(AuditError, match="not a regular file"):
        next(audit.read(device))


def test_an_error_of_the_file_itself_is_an_audit_error() -> None:
    class Failing(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(AuditError, match="cannot be read: Input/output error"):
        list(reader.records(Failing()))


LIKE_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELD = st.sampled_from(
    [
        "v",
        "seq",
        "t",
        "event",
        "prev",
        "pid",
        "tid",
        "child",
        "code",
        "signal",
        "from",
        "path",
        "argv",
        "elf",
        "args",
        "calls",
        "which",
        "value",
    ]
)
ENVELOPE = st.fixed_dictionaries(
    {"v": st.just(1), "seq": st.just(0), "t": st.just(0), "prev": st.just(PREV)}
    | {
        "event": st.sampled_from(
            [
                "start",
                "call",
                "child",
                "vfork-block",
                "exec",
                "signal",
                "exit",
                "limit",
                "end",
                "novel",
            ]
        )
    }
)
LINES = st.lists(
    st.one_of(
        st.builds(
            lambda head, more: json.dumps(more | head).encode(), ENVELOPE, st.dictionaries(FIELD, LIKE_JSON)
        ),
        st.binary(),
        LIKE_JSON.map(lambda item: json.dumps(item).encode()),
    )
)


@given(
    st.one_of(
        st.binary(), LINES.map(b"\n".join), LINES.map(lambda lines: b"".join(one + b"\n" for one in lines))
    )
)
def test_whatever_the_bytes_the_answer_is_records_or_a_damaged_line(data: bytes) -> None:
    damage: reader.DamagedError | None = None
    found: list[Record] = []
    try:
        found = records(data)
    except reader.DamagedError as error:
        damage = error
    if damage:
        assert 1 <= damage.line <= data.count(b"\n") + 1
        assert str(damage).isprintable()
    else:
        assert len(found) == data.count(b"\n")
