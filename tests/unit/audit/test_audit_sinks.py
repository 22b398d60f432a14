"""Sinks on real descriptors: what arrives, and that a failing descriptor is always an AuditError."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.audit import sinks
from sandbox.audit.sinks import JsonLines, Text, open_sink
from sandbox.audit.writer import AuditLog
from sandbox.errors import AuditError


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for fd in (read, write):
        with contextlib.suppress(OSError):  # some tests close one themselves
            os.close(fd)


def test_a_file_is_created_for_its_owner_alone_and_emptied(tmp_path: Path) -> None:
    path = tmp_path / "log"
    old = os.umask(0)
    try:
        sink = open_sink(str(path))
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert isinstance(sink, JsonLines)
    sink.write_line(b"one\n")
    sink.close()
    sink.close()
    assert path.read_bytes() == b"one\n"
    open_sink(str(path)).close()
    assert path.read_bytes() == b""


def test_a_symlink_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(AuditError, match="link is a symbolic link that a guest may have made"):
        open_sink(str(tmp_path / "link"))
    assert not (tmp_path / "target").exists()


def test_the_descriptor_is_not_inherited_and_not_one_of_the_guests(tmp_path: Path) -> None:
    saved = os.dup(2)
    os.close(2)
    try:
        sink = open_sink(str(tmp_path / "log"))
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(2)
    finally:
        os.dup2(saved, 2)
        os.close(saved)
    assert isinstance(sink, JsonLines)
    assert sink._fd > 2
    assert fcntl.fcntl(sink._fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    sink.close()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("", "Is a directory"), ("missing/log", "No such file"), ("nul\0", "NUL"), ("esc\x1b/x", r"\\x1b")],
)
def test_what_cannot_be_opened_is_one_line(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(AuditError, match=reason) as caught:
        open_sink(f"{tmp_path}/{name}")
    assert str(caught.value).isprintable()


def test_dev_full_fails_at_the_first_record() -> None:
    log = AuditLog([open_sink("/dev/full")])
    with pytest.raises(AuditError, match="No space left"):
        log.emit("odd")
    log.close()


def test_dev_null_takes_everything() -> None:
    log = AuditLog([open_sink("/dev/null")])
    log.emit("odd")
    log.emit("odd")
    log.close()


@pytest.mark.parametrize("make", [JsonLines, Text])
def test_a_pipe_without_a_reader_fails(
    pipe: tuple[int, int], make: Callable[[int], JsonLines | Text]
) -> None:
    os.close(pipe[0])
    with pytest.raises(AuditError, match="Broken pipe"):
        AuditLog([make(pipe[1])]).emit("odd")


@pytest.mark.parametrize("make", [JsonLines, Text])
def test_a_closed_descriptor_fails(pipe: tuple[int, int], make: Callable[[int], JsonLines | Text]) -> None:
    os.close(pipe[1])
    with pytest.raises(AuditError, match="Bad file descriptor"):
        AuditLog([make(pipe[1])]).emit("odd")


def test_a_file_at_its_size_limit_fails(tmp_path: Path) -> None:
    import resource

    sink = open_sink(str(tmp_path / "log"))
    assert isinstance(sink, JsonLines)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(AuditError, match="File too large"):
            sink.write_line(b"x" * 20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
        sink.close()
    assert (tmp_path / "log").read_bytes() == b"x" * 10


def test_short_writes_are_continued(monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    sinks.write_all(pipe[1], b"0123456789")
    monkeypatch.undo()
    assert os.read(pipe[0], 100) == b"0123456789"


def test_a_descriptor_that_takes_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda fd, data: 0)
    with pytest.raises(AuditError, match="no more bytes"):
        sinks.write_all(2, b"x")


def test_a_line_goes_out_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def write(fd: int, data: bytes) -> int:
        seen.append(data)
        return len(data)

    monkeypatch.setattr(os, "write", write)
    AuditLog([JsonLines(2)]).emit("odd", text="x" * 10_000)
    assert len(seen) == 1


def test_a_full_non_blocking_pipe_is_waited_for(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    data = b"x" * 300_000  # more than a pipe holds, so that the writer has to wait for the reader
    writer = threading.Thread(target=sinks.write_all, args=(pipe[1], data))
    writer.start()
    received = 0
    while received < len(data):
        received += len(os.read(pipe[0], 65536))
    writer.join()
    assert received == len(data)


def test_text_to_a_descriptor_is_printable_lines(pipe: tuple[int, int]) -> None:
    log = AuditLog([Text(pipe[1])])
    log.emit("exec", pid=3, path="/tmp/\x1b[2J\n\u202e", argv=["\udcff"], elf=None)
    text = os.read(pipe[0], 1000).decode()
    assert text.endswith("\n")
    assert text[:-1].isprintable()
    assert r"\x1b[2J\x0a\u202e" in text


@pytest.mark.parametrize(("color", "escapes"), [(True, 2), (False, 0)])
def test_color_is_asked_for(pipe: tuple[int, int], color: bool, escapes: int) -> None:
    AuditLog([Text(pipe[1], color)]).emit("limit", which="wall", value=3)
    assert os.read(pipe[0], 1000).count(b"\x1b[") == escapes


@pytest.fixture
def as_stderr() -> Iterator[Callable[[int], int]]:
    saved = os.dup(2)
    yield lambda fd: os.dup2(fd, 2)
    os.dup2(saved, 2)
    os.close(saved)


def test_dash_is_json_lines_on_standard_error(pipe: tuple[int, int], as_stderr: Callable[[int], int]) -> None:
    as_stderr(pipe[1])
    sink = open_sink("-")
    AuditLog([sink]).emit("odd")
    sink.close()
    os.fstat(2)  # standard error is not the sink's to close
    assert os.read(pipe[0], 1000).startswith(b'{"v":1,"seq":0,')


def test_dash_is_text_on_a_terminal(as_stderr: Callable[[int], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    master, slave = pty.openpty()
    try:
        as_stderr(slave)
        log = AuditLog([open_sink("-")])
        log.emit("limit", which="wall", value=3)
        assert b"limit wall reached: 3" in os.read(master, 1000)
    finally:
        os.close(master)
        os.close(slave)


def test_a_sink_knows_how_many_bytes_it_took(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = AuditLog([open_sink(str(path))])
    for _ in range(3):
        log.emit("odd")
        assert log.size == path.stat().st_size > 0
    log.close()
