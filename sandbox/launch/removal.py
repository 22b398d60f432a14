"""Removing what a guest has made, by descriptors alone.

No link is followed and no other file system entered, whatever is there. A tree is taken apart from the top:
a directory found inside another is moved up beside it first, so no path, no recursion and no number of open
descriptors grows with its depth.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def clear(top: int, go_on: Callable[[], bool]) -> bool:
    """Remove everything in an open directory that is ours; True if nothing is left. Never raises OSError.

    `go_on` is asked before each entry; when it says no, the rest stays. What cannot be removed does not
    keep the rest from going.
    """
    clearing = _Clearing(top, go_on)
    try:
        while clearing.pass_over():
            pass
        return not clearing.stopped and next(_entries(top), None) is None
    except OSError:
        return False


class _Clearing:
    """The passes over one directory, until one changes nothing."""

    def __init__(self, top: int, go_on: Callable[[], bool]) -> None:
        self._top = top
        self._go_on = go_on
        self._device = os.fstat(top).st_dev
        self._changed = False
        self.stopped = False

    def pass_over(self) -> bool:
        """Look at each entry once; whether another pass can help."""
        self._changed = False
        for entry in _entries(self._top):
            if not self._may_go_on():
                return False
            try:
                self._remove(entry)
            except OSError:
                continue
        return self._changed and not self.stopped

    def _may_go_on(self) -> bool:
        self.stopped = self.stopped or not self._go_on()
        return not self.stopped

    def _remove(self, entry: os.DirEntry[str]) -> None:
        if entry.is_dir(follow_symlinks=False):
            self._remove_directory(entry.name)
        else:
            os.unlink(entry.name, dir_fd=self._top)
        self._changed = True

    def _remove_directory(self, name: str) -> None:
        try:
            os.rmdir(name, dir_fd=self._top)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        fd = self._opened(name)
        try:
            for entry in _entries(fd):
                if not self._may_go_on():
                    return
                with contextlib.suppress(OSError):
                    self._take_out(fd, entry)
        finally:
            os.close(fd)
        os.rmdir(name, dir_fd=self._top)

    def _take_out(self, fd: int, entry: os.DirEntry[str]) -> None:
        """Remove a file; move a directory up, which takes the right to write in it (rename(2), EACCES)."""
        if entry.is_dir(follow_symlinks=False):
            os.close(self._opened(entry.name, fd))
            os.rename(entry.name, os.urandom(16).hex(), src_dir_fd=fd, dst_dir_fd=self._top)
        else:
            os.unlink(entry.name, dir_fd=fd)
        self._changed = True

    def _opened(self, name: str, parent: int | None = None) -> int:
        """A directory's descriptor, once we have all rights to it. Raises OSError."""
        place = os.open(name, _PLACE, dir_fd=self._top if parent is None else parent)
        try:
            facts = os.fstat(place)
            if facts.st_dev != self._device:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            if facts.st_mode & 0o700 != 0o700:
                _set_mode(place, 0o700)
            return os.open(".", DIRECTORY, dir_fd=place)
        finally:
            os.close(place)


def _entries(fd: int) -> Iterator[os.DirEntry[str]]:
    with os.scandir(fd) as entries:
        yield from entries


def _set_mode(place: int, mode: int) -> None:
    """chmod of what an O_PATH descriptor names: fchmod(2) takes none, and a name could be a link."""
    path = f"/proc/self/fd/{place}"
    # With the /proc of another PID namespace, /proc/self can be another process.
    if not os.path.samestat(os.stat(path), os.fstat(place)):
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    os.chmod(path, stat.S_IMODE(mode))
