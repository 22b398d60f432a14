"""Descriptors clear of 0 to 2, which are a child's own: pipes for the processes we start, and files. And
writing to a pipe whose reader may not read."""

from __future__ import annotations

import errno
import fcntl
import os
import select
from collections.abc import Callable

_PIECE = 4096  # what a pipe that poll(2) calls writable takes without blocking (pipe(7), PIPE_BUF)
_LOOK_MS = 100

Stall = Callable[[], None]
"""Called ten times a second while a reader keeps a writer waiting; it may raise to give up."""


def above_stdio(fd: int) -> int:
    """The same open file as a descriptor that is none of 0 to 2; if `fd` is one of them, it is closed."""
    if fd > 2:
        return fd
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


def write_all(fd: int, data: bytes, stalled: Stall | None = None) -> None:
    """Write `data` to `fd`, whole, in one write(2) where the kernel takes it so.

    With `stalled`, no write blocks for long: the descriptor is waited for, piece by piece. Without, only one
    that somebody made non-blocking is. Raises OSError, and what `stalled` raises.
    """
    done = 0
    while done < len(data):
        try:
            if stalled is not None:
                _wait_writable(fd, stalled)
                count = os.write(fd, data[done : done + _PIECE])
            else:
                count = os.write(fd, data[done:] if done else data)
        except BlockingIOError:
            _wait_writable(fd, stalled)
            continue
        if count == 0:
            raise OSError(errno.EIO, "its file takes no more bytes")
        done += count


def _wait_writable(fd: int, stalled: Stall | None) -> None:
    waiter = select.poll()
    waiter.register(fd, select.POLLOUT)
    while not waiter.poll(None if stalled is None else _LOOK_MS):
        if stalled is not None:
            stalled()
