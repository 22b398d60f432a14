"""What the supervisor does on a guest's behalf, with no more rights to files than the guest has.

Each function raises an `OSError` of the kernel's. A `GuestRights` is entered around whatever is done so.
"""

from __future__ import annotations

import errno
import os
from types import TracebackType

from sandbox._kernel._core import ffi, lib
from sandbox.errors import InternalError

O_PATH = os.O_PATH | os.O_CLOEXEC
NO_MAGIC_LINKS, NO_SYMLINKS, BENEATH = 2, 4, 8  # RESOLVE_NO_MAGICLINKS and so on (openat2(2))


class GuestRights:
    """A context in which this thread reaches files as its guests do: by their user and group, `user`, with no
    other group (None: they are who we are), and without any capability. It knows nothing of Landlock. `less`:
    guests have fewer rights than we. Entering raises OSError; leaving InternalError, if it fails, since
    nothing can go on then."""

    def __init__(self, user: tuple[int, int] | None) -> None:
        self._user = user
        self.less = user is not None or _check(lib.sb_has_capabilities()) > 0

    def __enter__(self) -> None:
        if self.less:
            uid, gid = self._user or (0, 0)
            _check(lib.sb_act_as(self._user is not None, uid, gid))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.less and (failed := lib.sb_act_self()) < 0:
            raise InternalError(f"the supervisor cannot take its own rights back: {os.strerror(-failed)}")


def _check(result: int) -> int:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def open_path(directory: int, path: bytes, *, follow: bool) -> int:
    """An O_PATH descriptor of what lies at a path from a directory's descriptor, through no magic link of
    /proc (ELOOP). ENOSYS where the kernel has no openat2(2), or a filter around the sandbox forbids it."""
    return _check(lib.sb_open(directory, path, O_PATH | (0 if follow else os.O_NOFOLLOW), NO_MAGIC_LINKS))


def is_beneath(fd: int, directory: int) -> bool:
    """Whether an open file is one that an open directory holds at some depth, or is itself.

    Its name is only a way there (RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS): False, too, if that is exchanged at
    this moment. A file that has no name any more, or lies where we may not search, is told by its path alone.
    """
    if os.path.sameopenfile(fd, directory):
        return True
    above, place = _path(directory), _path(fd)
    if not place.startswith(above.rstrip("/") + "/") or _path(directory) != above:
        return False
    if os.fstat(fd).st_nlink == 0:
        return True
    rest = os.fsencode(place[len(above) :].lstrip("/"))
    found = lib.sb_open(directory, rest, O_PATH | os.O_NOFOLLOW, BENEATH | NO_SYMLINKS)
    if found < 0:
        return bool(found == -errno.EACCES)
    try:
        return os.path.sameopenfile(found, fd)
    finally:
        os.close(found)


def _path(fd: int) -> str:
    return os.readlink(f"/proc/self/fd/{fd}")


def is_proc(fd: int) -> bool:
    """Whether a descriptor is of a file in a procfs (fstatfs(2))."""
    return bool(_check(lib.sb_is_proc(fd)))


def may_execute(fd: int) -> bool:
    """Whether the file of an O_PATH descriptor may be executed; False, too, before faccessat2 (Linux 5.8)."""
    return bool(lib.sb_may(fd, os.X_OK) == 0)


def set_times(fd: int, times: tuple[int, ...]) -> None:
    """utimensat(2) on an O_PATH descriptor's file; seconds and nanoseconds of access and modification."""
    _check(lib.sb_set_times(b"/proc/self/fd/%d" % fd, ffi.new("int64_t[4]", times)))


def reopen(fd: int) -> int:
    """The regular file of an O_PATH descriptor, opened for reading. Raises OSError, EINVAL for other files: a
    FIFO would block, a device act."""
    import stat

    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
