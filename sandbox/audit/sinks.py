"""Where records go. A sink returns when the record is out of this process, or raises AuditError.

A sink takes either finished JSON lines or records as mappings; `AuditLog` makes only what its sinks take.
"""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from sandbox import pipes
from sandbox.errors import AuditError
from sandbox.output_file import OutputFile
from sandbox.pipes import Stall

STDERR = 2


def write_all(fd: int, data: bytes, stalled: Stall | None = None) -> None:
    """As `pipes.write_all`; raises AuditError where the kernel refuses, with the errno's text."""
    try:
        pipes.write_all(fd, data, stalled)
    except OSError as error:
        raise AuditError(f"the audit log cannot be written: {error.strerror}") from error


class _Closing(ABC):
    """What `LineSink` and `RecordSink` share. `size` is how many bytes went out so far; 0 in memory."""

    size = 0

    @abstractmethod
    def close(self) -> None:
        """Give back what the sink owns. Closing twice is harmless. Raises AuditError."""

    def on_stall(self, stalled: Stall) -> None:  # noqa: B027  (a sink in memory never waits)
        """Call `stalled` while a reader keeps this sink waiting."""


class LineSink(_Closing):
    """A sink of JSON lines; a log with one of these has a hash chain."""

    @abstractmethod
    def write_line(self, line: bytes) -> None:
        """Store one line, newline included, before returning. Raises AuditError."""


class RecordSink(_Closing):
    """A sink of records as mappings."""

    @abstractmethod
    def write_record(self, record: dict[str, Any]) -> None:
        """Store one record before returning; the mapping is the sink's to keep. Raises AuditError."""


Sink = LineSink | RecordSink


class _Descriptor(_Closing):
    def __init__(self, fd: int, *, owned: bool) -> None:
        self._fd = fd
        self._owned = owned
        self._stalled: Stall | None = None

    def on_stall(self, stalled: Stall) -> None:
        """As `Sink.on_stall`; an ordinary file keeps nobody waiting."""
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            self._stalled = stalled

    def _put(self, data: bytes) -> None:
        write_all(self._fd, data, self._stalled)
        self.size += len(data)

    def close(self) -> None:
        if not self._owned:
            return
        self._owned = False
        fd, self._fd = self._fd, -1
        try:
            os.close(fd)
        except OSError as error:
            raise AuditError(f"the audit log cannot be closed: {error.strerror}") from error


class JsonLines(_Descriptor, LineSink):
    """JSON Lines to a descriptor, which is closed by `close()` only where `owned`."""

    def __init__(self, fd: int, *, owned: bool = False) -> None:
        super().__init__(fd, owned=owned)

    def write_line(self, line: bytes) -> None:
        self._put(line)


class Text(_Descriptor, RecordSink):
    """Readable text to a descriptor, every character of it printable."""

    def __init__(self, fd: int, color: bool = False, *, owned: bool = False) -> None:
        from sandbox.audit import text

        super().__init__(fd, owned=owned)
        self._lines: Callable[[dict[str, Any]], list[str]] = text.colored if color else text.lines

    def write_record(self, record: dict[str, Any]) -> None:
        text = "".join(f"{line}\n" for line in self._lines(record))
        self._put(text.encode("utf-8", "backslashreplace"))


class Memory(RecordSink):
    """Records as mappings, in a list."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def write_record(self, record: dict[str, Any]) -> None:
        self.records.append(record)

    def close(self) -> None:
        """Nothing is owned; the records stay."""


def find_log(spec: str) -> OutputFile | None:
    """The file that `--audit` names, looked at and unchanged; None for `-`. Raises AuditError."""
    if spec == "-":
        return None
    try:
        return OutputFile(spec, 0o600)
    except OSError as error:
        raise _unopened(spec, error) from error


def open_sink(spec: str, found: OutputFile | None = None) -> Sink:
    """The sink `--audit` asks for: a file's path, or `-` for standard error.

    Standard error gets readable text where it is a terminal, and JSON Lines where not. A file is created
    with mode 0600 or emptied, or it is as it was and AuditError raised; its descriptor is never 0, 1 or 2,
    which are the guest's. `found` is what `find_log` found. Devices and FIFOs will do; what else a name may
    stand for is told by `OutputFile`. Raises AuditError.
    """
    if spec == "-":
        if os.isatty(STDERR):
            color = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
            return Text(STDERR, color=color)
        return JsonLines(STDERR)
    file = found or find_log(spec)
    assert file is not None
    try:
        fd = file.open()
        file.commit()
    except OSError as error:
        raise _unopened(spec, error) from error
    return JsonLines(fd, owned=True)


def _unopened(path: str, error: OSError) -> AuditError:
    return AuditError(f"cannot open the audit log {_shown(path)}: {error.strerror}")


def _shown(path: str) -> str:
    return path if path.isprintable() else ascii(path)
