"""Descriptors clear of 0 to 2, which are a child's own: pipes for the processes we start, and files."""

from __future__ import annotations

import os


def above_stdio(fd: int) -> int:
    """The same open file as a descriptor that is none of 0 to 2; if `fd` is one of them, it is closed."""
    if fd > 2:
        return fd
    import fcntl

    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(fd)


def pipe() -> tuple[int, int]:
    """A pipe whose ends are none of 0 to 2, also where those are closed: they are a child's own."""
    reader, writer = os.pipe()
    try:
        reader = above_stdio(reader)
    except OSError:
        os.close(writer)
        raise
    try:
        return reader, above_stdio(writer)
    except OSError:
        os.close(reader)
        raise
