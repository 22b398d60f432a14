"""Pipes for the processes we start."""

from __future__ import annotations

import fcntl
import os


def pipe() -> tuple[int, int]:
    """A pipe whose ends are none of 0 to 2, also where those are closed: they are a child's own."""
    ends = os.pipe()
    try:
        first = fcntl.fcntl(ends[0], fcntl.F_DUPFD_CLOEXEC, 3)
        try:
            return first, fcntl.fcntl(ends[1], fcntl.F_DUPFD_CLOEXEC, 3)
        except OSError:
            os.close(first)
            raise
    finally:
        for end in ends:
            os.close(end)
