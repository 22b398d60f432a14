"""sandboxctl and its audit verbs: what is printed, and the exit status, as a user sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest

from sandbox import __version__
from sandbox.audit.sinks import open_sink
from sandbox.audit.writer import AuditLog
from sandbox.cli import ctl
from sandbox.outcome import Outcome

Capture = pytest.CaptureFixture[str]
COMMAND = [sys.executable, "-m", "sandbox.cli.ctl"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A complete log of six records."""
    path = tmp_path / "log"
    audit = AuditLog([open_sink(str(path))], clock=count(0, 1000).__next__)
    audit.emit(
        "start", time="", argv=["./a"], cwd="/", policy={"name": "ostoo", "sha256": ""}, kernel="6.1",
        enforcement={}, elf=None, level="decisions",
    )  # fmt: skip
    audit.emit(
        "call", pid=7, tid=7, nr=57, call="fork", args={}, verdict="refuse", errno="ENOSYS", rule="unlisted"
    )
    audit.emit("child", pid=7, child=8, kind="spawn", flags=None, parent_regs=None, child_regs=None)
    audit.emit("exec", pid=8, path="/\x1b[2J\u202e\udcff", argv=[], elf=None)
    audit.emit("exit", pid=8, code=0, usage=None)
    audit.end(Outcome("ok", "exited", exit_code=0), {"fork": {"refuse": 1}})
    audit.close()
    return path


def cut(log: Path, end: int = -1) -> None:
    """Take the last line (or other lines) away."""
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:end]))


def test_show_prints_a_line_for_each_record(log: Path, capsys: Capture) -> None:
    assert ctl.main(["audit", "show", str(log)]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert len(lines) == 6 + 2  # the end record brings a table of two rows
    assert all(line.isprintable() for line in lines)
    assert lines[1].endswith("[7]      fork() → refuse ENOSYS  (unlisted)")
    assert r"/\x1b[2J\u202e\xff" in lines[3]


@pytest.mark.parametrize(
    ("options", "seqs"),
    [
        ([], [0, 1, 2, 3, 4, 5]),
        (["--event", "call"], [1]),
        (["--event", "call", "--event", "exit"], [1, 4]),
        (["--event", "nosuch"], []),
        (["--pid", "8"], [2, 3, 4]),
        (["--pid", "7"], [1, 2]),
        (["--pid", "7", "--pid", "8", "--event", "exec"], [3]),
    ],
)
def test_show_json_prints_the_lines_asked_for(
    log: Path, capsys: Capture, options: list[str], seqs: list[int]
) -> None:
    assert ctl.main(["audit", "show", "--json", *options, str(log)]) == 0
    whole = log.read_text().splitlines()
    assert capsys.readouterr().out.splitlines() == [whole[seq] for seq in seqs]


def test_json_output_is_terminal_safe_for_a_foreign_log_too(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "log"
    record = {"v": 1, "seq": 0, "t": 0, "event": "novel", "x": "\x9b\x7f\u202e", "prev": "0" * 64}
    path.write_text(json.dumps(record, ensure_ascii=False) + "\n")
    assert ctl.main(["audit", "show", "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x7f" not in out
    assert json.loads(out) == record


def test_show_of_a_cut_log_says_so_and_succeeds(log: Path, capsys: Capture) -> None:
    log.write_bytes(log.read_bytes()[:-9])
    assert ctl.main(["audit", "show", str(log)]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 5
    assert err == "sandboxctl: line 6 is cut off\n"


@pytest.mark.parametrize("verb", ["show", "summary"])
def test_a_damaged_log_is_unreadable_input(log: Path, capsys: Capture, verb: str) -> None:
    log.write_bytes(log.read_bytes() + b"\xff\n")
    assert ctl.main(["audit", verb, str(log)]) == 2
    assert capsys.readouterr().err == f"sandboxctl: {log}: line 7: not UTF-8 text\n"


def test_summary(log: Path, capsys: Capture) -> None:
    assert ctl.main(["audit", "summary", str(log)]) == 0
    out = capsys.readouterr().out
    assert "outcome    ok, exit code 0: exited\n" in out
    assert "processes  2\n" in out
    assert "        1  fork  unlisted\n" in out


VERIFY: dict[str, tuple[Callable[[Path], object], int, int, str]] = {
    "complete": (lambda log: None, 0, 0, "ok: 6 records, complete"),
    "no end": (cut, 0, 1, "ok so far: 5 records, no end record (the run was cut short)"),
    "one record": (
        lambda log: cut(log, 1),
        0,
        1,
        "ok so far: 1 record, no end record (the run was cut short)",
    ),
    "cut line": (
        lambda log: log.write_bytes(log.read_bytes()[:-9]),
        0,
        1,
        "ok so far: 5 records, the last line is cut off (the run was cut short)",
    ),
    "edited": (
        lambda log: log.write_text(log.read_text().replace("refuse", "allow", 1)),
        1,
        1,
        "broken: line 3: prev is not the SHA-256 of the line before",
    ),
    "not a log": (
        lambda log: log.write_text("hello\n"),
        1,
        1,
        "broken: line 1: not JSON (column 1: Expecting value)",
    ),
}


@pytest.mark.parametrize("name", VERIFY)
def test_verify(log: Path, capsys: Capture, name: str) -> None:
    change, status, strict_status, said = VERIFY[name]
    change(log)
    assert ctl.main(["audit", "verify", str(log)]) == status
    assert ctl.main(["audit", "verify", "--complete", str(log)]) == strict_status
    assert capsys.readouterr().out == f"{said}\n{said}\n"


@pytest.mark.parametrize("verb", ["show", "summary", "verify"])
def test_each_verb_reads_standard_input(log: Path, verb: str) -> None:
    with log.open("rb") as stdin:
        done = subprocess.run([*COMMAND, "audit", verb, "-"], stdin=stdin, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout != b""


@pytest.mark.parametrize("verb", ["show", "summary", "verify"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing", "No such file or directory"), (".", "not a regular file"), ("\x1b", r"\\x1b")],
)
def test_what_cannot_be_read_is_one_line_and_status_2(
    tmp_path: Path, capsys: Capture, verb: str, name: str, reason: str
) -> None:
    assert ctl.main(["audit", verb, f"{tmp_path}/{name}"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("sandboxctl: ")
    assert err.removesuffix("\n").isprintable()
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["audit"],
        ["audit", "show"],
        ["audit", "nosuch", "x"],
        ["nosuch"],
        ["audit", "show", "--pid", "x", "y"],
        ["audit", "show", "--ev", "x", "y"],
        ["audit", "verify", "a", "b"],
        ["policy", "nosuch"],
    ],
)
def test_wrong_use_is_status_2(capsys: Capture, words: list[str]) -> None:
    assert ctl.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: sandboxctl")


def test_version(capsys: Capture) -> None:
    assert ctl.main(["--version"]) == 0
    assert capsys.readouterr().out == f"sandboxctl {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        [],
        *([verb] for verb, group in ctl.VERBS.items() if group.module),
        *([verb, name] for verb, group in ctl.VERBS.items() for name in group.commands),
    ],
)
def test_help_has_an_example(capsys: Capture, words: list[str]) -> None:
    assert ctl.main([*words, "--help"]) == 0
    assert f"example:\n  sandboxctl {' '.join(words)}" in capsys.readouterr().out


def test_the_help_of_a_group_lists_its_commands(capsys: Capture) -> None:
    assert ctl.main(["audit", "--help"]) == 0
    out = capsys.readouterr().out
    for command, module in ctl.VERBS["audit"].commands.items():
        summary = (import_module(module).__doc__ or "").split(".\n")[0]
        assert command in out
        assert summary in " ".join(out.split())


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("verb", "damage", "status"),
    [("show", b"", 0), ("summary", b"", 0), ("verify", b"", 0), ("verify", b"{}\n", 1)],
)
def test_a_reader_that_went_away_is_no_error(
    log: Path, unbuffered: str, verb: str, damage: bytes, status: int
) -> None:
    log.write_bytes(log.read_bytes() + damage)
    read, write = os.pipe()
    os.close(read)
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    try:
        done = subprocess.run(
            [*COMMAND, "audit", verb, str(log)], stdout=write, stderr=subprocess.PIPE, env=env, check=False
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (status, b"")


@pytest.mark.parametrize("verb", ["show", "summary", "verify"])
def test_output_that_cannot_be_written_is_an_error(log: Path, verb: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "audit", verb, str(log)], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (2, b"sandboxctl: cannot write: No space left on device\n")


@pytest.mark.parametrize(
    ("redirect", "said"), [(">&-", b"standard output is closed"), ("- <&-", b"standard input is closed")]
)
def test_a_closed_standard_stream_is_one_line(log: Path, redirect: str, said: bytes) -> None:
    file = "" if redirect.startswith("-") else f" '{log}'"
    shell = f"exec '{sys.executable}' -m sandbox.cli.ctl audit show{file} {redirect}"
    done = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (2, b"sandboxctl: " + said + b"\n")


def test_an_ascii_terminal_gets_escapes(log: Path) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*COMMAND, "audit", "show", str(log)], capture_output=True, env=env, check=False)
    assert done.returncode == 0
    assert rb"fork() \u2192 refuse" in done.stdout
