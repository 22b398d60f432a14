"""What a command writes to files, without a file: no guest reaches it, whatever its policy lets it write."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from sandbox.pipes import pipe

_PATIENCE = 10  # seconds that the pipe may stay open once the command has ended


class Intake:
    """A pipe, which a command that inherits `fd` opens by `path`. A thread moves all that comes to `kept`."""

    def __init__(self, kept: BinaryIO) -> None:
        reader, self.fd = pipe()
        self.path = f"/proc/self/fd/{self.fd}"
        self._kept = kept
        self._thread: threading.Thread | None = threading.Thread(
            target=self._keep, args=(reader,), daemon=True
        )
        self._thread.start()

    def _keep(self, reader: int) -> None:
        with open(reader, "rb", buffering=0) as source:
            shutil.copyfileobj(source, self._kept)

    def content(self) -> BinaryIO:
        """What was written, from its beginning, once the command has ended. Raises OSError."""
        self.end()
        self._kept.seek(0)
        return self._kept

    def end(self) -> None:
        """Take what is left. Raises TimeoutError where somebody else still has the pipe."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        os.close(self.fd)
        thread.join(_PATIENCE)
        if thread.is_alive():
            raise TimeoutError("something of the run still has its pipe open")


@contextmanager
def intake() -> Iterator[Intake]:
    """An Intake for one command."""
    with tempfile.TemporaryFile() as kept:
        one = Intake(kept)
        try:
            yield one
        finally:
            one.end()
