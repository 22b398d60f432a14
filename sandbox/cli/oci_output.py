"""What the commands that exchange seccomp profiles print."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from sandbox.errors import UsageError
from sandbox.output_file import OutputFile
from sandbox.policy.values import printable


def deliver(text: str, losses: Sequence[str], output: str | None) -> int:
    """Write a result to a file or standard output, and name on standard error what it lacks: 1, else 0.

    Raises UsageError where the file cannot be written.
    """
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        _write(text, output)
    for loss in losses:
        print(f"sandboxctl: not exact: {printable(loss)}", file=sys.stderr)
    return 1 if losses else 0


def _write(text: str, output: str) -> None:
    try:
        data = text.encode()
        file = OutputFile(output)
        fd = file.open()
        file.commit()
        with os.fdopen(fd, "wb") as stream:
            stream.write(data)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"can't write {printable(output)}: {reason}") from None
