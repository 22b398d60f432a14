"""A directory of our own where others may write, made, filled and removed by its descriptor.

What is found under a name there may be a link by the time it is used: a run of the same user that may write
in the place exchanges one for the other. So no name is followed twice, and none of ours is followed at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time

from sandbox.launch.removal import DIRECTORY, clear
from sandbox.launch.scratch import check_fresh, is_at, make_directory

_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PATIENCE_S = 30.0  # how long somebody who goes on making files in it can keep us


class OwnDirectory:
    """One directory, open as `fd` until it is removed or closed."""

    def __init__(self, parent: int, name: str, mode: int) -> None:
        """Make it in the open directory `parent`, with this mode whatever the umask. Raises OSError.

        If another has taken its place, that is left as it is.
        """
        self._name = name
        self._parent = self.fd = -1
        self._inner: list[OwnDirectory] = []
        make_directory(name, parent)
        try:
            self._parent = os.dup(parent)
            self.fd = os.open(name, DIRECTORY, dir_fd=parent)
            check_fresh(self.fd)
            os.fchmod(self.fd, mode)
        except BaseException:
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=parent)
            self.close()
            raise

    @property
    def path(self) -> str:
        """Its real path now, as the kernel tells it; for others to use. Raises OSError if it has none."""
        path = os.readlink(self.here)
        if not os.path.samestat(os.stat(path), os.fstat(self.fd)):
            raise OSError(errno.EXDEV, "its name leads elsewhere")
        return path

    @property
    def here(self) -> str:
        """A path that leads us to it whatever its name, and a child of ours until it executes a program."""
        return f"/proc/self/fd/{self.fd}"

    def directory(self, name: str, mode: int) -> OwnDirectory:
        """Make a directory in it, which is closed with it. Raises OSError."""
        inner = OwnDirectory(self.fd, name, mode)
        self._inner.append(inner)
        return inner

    def write(self, name: str, content: bytes, mode: int) -> None:
        """Make a file in it, with this mode whatever the umask. Raises OSError, also if the name is taken."""
        with open(os.open(name, _NEW, 0o600, dir_fd=self.fd), "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), mode)

    def remove(self) -> bool:
        """Remove it with all in it, and close it; True if nothing is left. Never raises OSError.

        A directory that has been moved is emptied where it is.
        """
        until = time.monotonic() + _PATIENCE_S
        try:
            if clear(self.fd, lambda: time.monotonic() < until) and is_at(self._parent, self._name, self.fd):
                os.rmdir(self._name, dir_fd=self._parent)
            return os.fstat(self.fd).st_nlink == 0
        except OSError:
            return False
        finally:
            self.close()

    def close(self) -> None:
        """Close it and the directories made in it; they stay."""
        for inner in self._inner:
            inner.close()
        self._inner.clear()
        for fd in (self.fd, self._parent):
            if fd >= 0:
                os.close(fd)
        self.fd = self._parent = -1


def make(place: str, prefix: str, mode: int) -> OwnDirectory:
    """Make one in the directory `place`, under a name that nobody can foretell. Raises OSError."""
    parent = os.open(place, _PLACE)
    try:
        return OwnDirectory(parent, prefix + os.urandom(8).hex(), mode)
    finally:
        os.close(parent)
