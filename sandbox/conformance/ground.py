"""The directory a prober runs in: itself, and files of each kind that a probe may name."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from types import TracebackType

from sandbox.conformance import execute
from sandbox.errors import SetupError, UsageError

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

    `work` is the prober's working directory, `prober` its path there; beside it lies `outside`, the same
    program where a policy's `[files]` may not name it.
    """

    def __init__(self) -> None:
        self._directory = ""

    def __enter__(self) -> Ground:
        source = find_prober()
        try:
            self._make()
            self._fill(source)
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
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _make(self) -> None:
        # A signal in between would leave a directory that nobody knows.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, execute.CONTROLS)
        try:
            self._directory = tempfile.mkdtemp(prefix="conform-")
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.chmod(self._directory, 0o755)

    def _fill(self, source: str) -> None:
        for directory in (self.work, os.path.join(self.work, "directory")):
            os.mkdir(directory)
            os.chmod(directory, 0o755)
        for name, content in FILES.items():
            path = os.path.join(self.work, name)
            with open(path, "wb") as stream:
                stream.write(content)
            os.chmod(path, 0o755)
        for path in (self.prober, os.path.join(self._directory, "outside")):
            shutil.copyfile(source, path)
            os.chmod(path, 0o755)

    @property
    def work(self) -> str:
        """The prober's working directory."""
        return os.path.join(self._directory, "work")

    @property
    def prober(self) -> str:
        """The prober's path."""
        return os.path.join(self.work, "prober")
