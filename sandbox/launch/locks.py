"""How a run tells the living from the dead: a lock on a directory that the kernel gives up with its holder.

What runs leave in shared places (a cgroup, a scratch directory) when they are killed has nobody's lock.
"""

from __future__ import annotations

import os

PREFIX = "ostoo-sandbox-"
"""How the names of what runs make in shared places begin."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def take(path: str, dir_fd: int | None = None) -> int:
    """Open a directory, following no link, and lock it; the lock lasts as long as the descriptor.

    A child of ours shares the lock until it executes something or closes the descriptor (flock(2)). Raises
    BlockingIOError where somebody has the lock, OSError where it cannot be opened or locked.
    """
    from fcntl import LOCK_EX, LOCK_NB, flock

    fd = os.open(path, _DIRECTORY, dir_fd=dir_fd)
    try:
        flock(fd, LOCK_EX | LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    return fd
