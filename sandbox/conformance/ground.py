"""The directory a prober runs in: itself, and files of each kind that a probe may name."""

from __future__ import annotations

import os
import signal
import tempfile
from types import TracebackType

from sandbox.conformance import execute
from sandbox.errors import SetupError, UsageError
from sandbox.launch.own_directory import OwnDirectory, make

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PLACES = (
    os.path.join(_PACKAGE, "conformance", "prober"),
    os.path.join(os.path.dirname(_PACKAGE), "guests", "build", "raw", "prober"),
)
"""Where the built prober is looked for: in the installed package, then in a checkout."""

FILES = {
    "data": b"some data to read\n",
    "empty": b"",
    "script": b"#!/bin/true\n",
    "text": b"neither a program nor a script\n",
    # An ELF header of a 32-bit program for i386 (elf(5)): e_ident, e_type EXEC, e_machine 3.
    "elf32": b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x02\x00\x03\x00" + bytes(32),
    "elf-cut": b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00",
}
"""Files in the directory, all readable and executable by everybody; beside them `directory`, empty."""


def find_prober() -> str:
    """The path of the built prober. Raises UsageError where there is none."""
    for place in PLACES:
        if os.access(place, os.X_OK):
            return place
    raise UsageError("the prober is not built: run `python guests/build.py prober` in a checkout")


class Ground:
    """A temporary directory that everybody may read; a context manager that removes it.

    `work` is the prober's working directory, `work_here` the same for a child of ours to begin in whatever
    its name leads to, `prober` the prober's path there; beside it lies `outside`, the same
    program where a policy's `[files]` may not name it.
    """

    work: str
    work_here: str

    def __init__(self) -> None:
        self._directory: OwnDirectory | None = None

    def __enter__(self) -> Ground:
        source = find_prober()
        try:
            self._fill(self._make(), source)
        except OSError as error:
            self.__exit__(None, None, None)
            raise SetupError(f"cannot prepare the prober's directory: {error}") from error
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._directory is not None:
            self._directory.remove()
            self._directory = None

    def _make(self) -> OwnDirectory:
        # A signal in between would leave a directory that nobody knows.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, execute.CONTROLS)
        try:
            self._directory = make(tempfile.gettempdir(), "conform-", 0o755)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self._directory

    def _fill(self, top: OwnDirectory, source: str) -> None:
        with open(source, "rb") as stream:
            prober = stream.read()
        work = top.directory("work", 0o755)
        work.directory("directory", 0o755)
        for name, content in {**FILES, "prober": prober}.items():
            work.write(name, content, 0o755)
        top.write("outside", prober, 0o755)
        self.work, self.work_here = work.path, work.here

    @property
    def prober(self) -> str:
        """The prober's path."""
        return os.path.join(self.work, "prober")
