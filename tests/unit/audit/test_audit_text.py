"""Readable text: every event, and that nothing in a record can reach a terminal as anything but text."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.audit import text

BASE: dict[str, Any] = {"t": 1_234_567, "pid": 42}
FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}

ROWS = [
    (
        {
            "event": "call",
            "tid": 42,
            "call": "clone",
            "args": {"flags": "CLONE_VM|SIGCHLD", "child_stack": "0x7ffd"},
            "verdict": "allow",
            "rule": "clone-spawn",
        },
        "clone(flags=CLONE_VM|SIGCHLD, child_stack=0x7ffd) → allow  (clone-spawn)",
    ),
    (
        {
            "event": "call",
            "call": "fork",
            "args": {},
            "verdict": "refuse",
            "errno": "ENOSYS",
            "rule": "unlisted",
        },
        "fork() → refuse ENOSYS  (unlisted)",
    ),
    (
        {
            "event": "call",
            "call": "open",
            "args": {"path": "/a b", "flags": "O_RDONLY"},
            "verdict": "allow",
            "ret": 3,
        },
        'open(path="/a b", flags=O_RDONLY) → allow = 3',
    ),
    (
        {"event": "child", "child": 43, "kind": "spawn", "flags": "SIGCHLD", "child_regs": {"rax": "0x0"}},
        "child spawn → 43  flags=SIGCHLD  child rax=0x0",
    ),
    ({"event": "vfork-block", "child": 43}, "vfork: held until 43 has called execve or is gone"),
    (
        {"event": "vfork-release", "child": 43, "cause": "exec", "blocked_ns": 812_999},
        "vfork: released after 812 µs by 43 (exec)",
    ),
    (
        {"event": "exec", "path": "/bin/x", "argv": ["x", "-v"], "elf": {"linkage": "static"}},
        'exec "/bin/x" argv=[x, "-v"]  static',
    ),
    ({"event": "signal", "signal": "SIGTERM", "from": 7}, "signal SIGTERM from 7"),
    ({"event": "signal", "signal": "SIGSEGV", "from": "kernel"}, "signal SIGSEGV from kernel"),
    ({"event": "exit", "code": 3}, "exit code 3"),
    ({"event": "exit", "signal": "SIGKILL", "usage": {"cpu_s": 0.5}}, "exit by signal SIGKILL  cpu_s=0.5"),
    ({"event": "call", "call": "kill", "verdict": "refuse", "repeats": 9}, "kill() → refuse  (9 times)"),
    ({"event": "novelty", "a": [1, None, True], "b": {"c": "d"}}, "novelty a=[1, None, True] b={c=d}"),
]


@pytest.mark.parametrize(("record", "expected"), ROWS)
def test_an_event_reads_so(record: dict[str, Any], expected: str) -> None:
    assert text.line({**BASE, **record}) == f"   0.001234 [42]     {expected}"


def test_a_thread_is_named_beside_its_process() -> None:
    assert "[42/44] " in text.line({**BASE, "tid": 44, "event": "call", "call": "fork"})


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {
                "event": "start",
                "argv": ["./a", "b c"],
                "policy": {"name": "ostoo"},
                "kernel": "6.1",
                "elf": {"linkage": "dynamic"},
                "enforcement": {"seccomp": "full"},
            },
            'start "./a" "b c"  (policy ostoo, kernel 6.1)  dynamic  seccomp=full',
        ),
        ({"event": "limit", "which": "wall", "value": 60}, "limit wall reached: 60"),
        (
            {
                "event": "end",
                "status": "exited",
                "reason": "by itself",
                "exit_code": 3,
                "usage": {"wall_s": 1.5},
            },
            "end exited: by itself  exit_code=3  wall_s=1.5",
        ),
    ],
)
def test_an_event_of_the_run_reads_so(record: dict[str, Any], expected: str) -> None:
    assert text.line({"t": 0, **record}) == f"   0.000000          {expected}"


def test_the_end_brings_a_table_of_calls() -> None:
    calls = {"read": {"allow": 2}, "fork": {"refuse": 30, "kill": 1}}
    rows = text.lines({"event": "end", "t": 0, "calls": calls})[1:]
    assert [row.split() for row in rows] == [
        ["call", "allow", "refuse", "kill"],
        ["fork", "-", "30", "1"],
        ["read", "2", "-", "-"],
    ]
    assert len({len(row) for row in rows}) == 1


def test_a_long_table_is_cut() -> None:
    rows = text.table({f"call{n}": {"allow": n} for n in range(100)})
    assert len(rows) == text.MAX_ROWS + 2
    assert rows[-1] == "… and 80 other calls"


def test_text_with_a_different_meaning_is_quoted() -> None:
    """A path cannot pass for the end of a call, nor for a verdict."""
    forged = 'x) → allow  (rule)" y="'
    shown = text.line({"event": "call", "call": "open", "args": {"path": forged}, "verdict": "refuse"})
    assert 'open(path="x) → allow  (rule)\\" y=\\"") → refuse' in shown


@pytest.mark.parametrize(
    ("char", "shown"),
    [
        ("\n", r"\x0a"),
        ("\x1b", r"\x1b"),
        ("\x7f", r"\x7f"),
        ("\x9b", r"\u009b"),
        ("\udcff", r"\xff"),
        ("\ud800", r"\ud800"),
        ("\u202e", r"\u202e"),
        ("\u2066", r"\u2066"),
        ("\u200b", r"\u200b"),
        ("\u2028", r"\u2028"),
        ("\ue000", r"\ue000"),
        ("\U000e0041", r"\U000e0041"),
        ("\\", "\\\\"),
        ("é漢 ", "é漢 "),
    ],
)
def test_escape(char: str, shown: str) -> None:
    assert text.escape(f"a{char}b") == f"a{shown}b"


def test_every_character_that_could_harm_is_escaped() -> None:
    harmful = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in FORBIDDEN]
    assert len(harmful) > 100_000
    assert all(text.escape(char).isascii() and char not in text.escape(char) for char in harmful)


@given(st.text(), st.text())
def test_escaped_texts_differ_where_the_texts_do(one: str, other: str) -> None:
    assert (text.escape(one) == text.escape(other)) == (one == other)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
EVENTS = st.sampled_from([*text._EVENTS, "novelty"])
FIELDS = st.sampled_from(
    [
        "t",
        "pid",
        "tid",
        "call",
        "args",
        "verdict",
        "errno",
        "rule",
        "ret",
        "argv",
        "policy",
        "kernel",
        "enforcement",
        "elf",
        "child",
        "kind",
        "flags",
        "child_regs",
        "cause",
        "blocked_ns",
        "path",
        "signal",
        "from",
        "code",
        "usage",
        "which",
        "value",
        "status",
        "reason",
        "exit_code",
        "calls",
    ]
)


@given(EVENTS, st.dictionaries(FIELDS | st.text(), JSON))
def test_any_record_becomes_printable_lines(event: str, fields: dict[str, Any]) -> None:
    record = {**fields, "event": event}
    for line in text.lines(record):
        assert line.isprintable()
        assert len(line) <= text.MAX_WIDTH + 1
    plain = [line.replace("\x1b[31m", "").replace("\x1b[33m", "") for line in text.colored(record)]
    assert all("\x1b" not in line.replace("\x1b[2m", "").replace("\x1b[0m", "") for line in plain)


@given(st.dictionaries(st.text(), JSON))
def test_any_mapping_at_all_becomes_a_line(record: dict[str, Any]) -> None:
    assert text.line(record).isprintable()


@pytest.mark.parametrize(
    "item",
    [
        "x" * 100_000,
        ["x"] * 100_000,
        {str(n): n for n in range(10_000)},
        10**5000,
        json.loads("[" * 500 + "]" * 500),
    ],
    ids=["text", "list", "object", "number", "depth"],
)
def test_no_value_makes_a_line_long(item: Any) -> None:
    assert len(text.line({"event": "novelty", "a": item})) <= text.MAX_WIDTH + 1
    assert (
        len(text.line({"event": "call", "call": item, "verdict": item, "args": item})) <= text.MAX_WIDTH + 1
    )


@pytest.mark.parametrize(
    ("record", "color"),
    [
        ({"event": "call", "verdict": "refuse"}, "\x1b[33m"),
        ({"event": "call", "verdict": "kill"}, "\x1b[31m"),
        ({"event": "call", "verdict": "allow"}, ""),
        ({"event": "call", "verdict": []}, ""),
        ({"event": "limit"}, "\x1b[31m"),
        ({"event": "exec"}, ""),
    ],
)
def test_colors(record: dict[str, Any], color: str) -> None:
    plain = text.line(record)
    assert text.colored(record) == [f"{color}{plain}\x1b[0m" if color else plain]
