"""Does what a guest asked of a file's mode, owner or times, on the file itself and only where it may write.

The file is opened first (O_PATH); where it lies is asked of what was opened (/proc/self/fd), and the change
is made through the same descriptor. A link swapped in between changes which file is looked at, never the
file between look and change.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from typing import NamedTuple

from sandbox.outcome import Deed
from sandbox.rules.files import Refusal, covered, lasting
from sandbox.rules.metadata import AT_FDCWD, UTIME_NOW, UTIME_OMIT
from sandbox.rules.options import option
from sandbox.supervisor import paths

_BILLION = 1_000_000_000


class Realm(NamedTuple):
    """Where a guest may change files (None: anywhere), and whose files."""

    write: tuple[str, ...] | None
    uid: int


class Done(NamedTuple):
    """0, or a negative errno for the guest; and the file, where it lies where the guest may not write."""

    result: int
    outside: Refusal | None = None


class _OutsideError(Exception):
    """What was asked for lies where the guest may not write; where, if that is known."""

    def __init__(self, refusal: Refusal | None) -> None:
        super().__init__()
        self.refusal = refusal


def perform(deed: Deed, pid: int, as_seen_here: Callable[[bytes], bytes], realm: Realm) -> Done:
    """Do it, if the guest may."""
    try:
        fd = _open(deed, pid, as_seen_here, realm)
    except _OutsideError as outside:
        return Done(-errno.EACCES, outside.refusal)
    except OSError as error:
        return Done(-(error.errno or errno.EIO))
    try:
        return _on(fd, deed, realm)
    except OSError as error:
        return Done(-(error.errno or errno.EIO))
    finally:
        os.close(fd)


def _open(deed: Deed, pid: int, as_seen_here: Callable[[bytes], bytes], realm: Realm) -> int:
    flags = os.O_PATH | os.O_CLOEXEC | (0 if deed.follow else os.O_NOFOLLOW)
    if deed.path is None:
        if deed.dirfd < 0 and deed.dirfd != AT_FDCWD:
            raise OSError(errno.EBADF, "")
        where = b"/proc/%d/cwd" % pid if deed.dirfd == AT_FDCWD else b"/proc/%d/fd/%d" % (pid, deed.dirfd)
        try:
            return os.open(where, flags & ~os.O_NOFOLLOW)
        except FileNotFoundError:
            raise OSError(errno.EBADF, "") from None
    if not deed.path:
        raise OSError(errno.ENOENT, "")
    if deed.path.startswith(b"/") or deed.dirfd == AT_FDCWD:
        return _open_path(as_seen_here(deed.path), flags, realm)
    return _open_path(b"/proc/%d/fd/%d/%s" % (pid, deed.dirfd, deed.path), flags, realm)


def _open_path(path: bytes, flags: int, realm: Realm) -> int:
    try:
        return os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        # The supervisor may look where its guest may not: outside, what is missing gets the same answer.
        if realm.write is not None:
            found = paths.find(path)
            if found is None or not covered(found.path, realm.write):
                raise _OutsideError(found and Refusal(found.path, "write", "")) from None
        raise


def _on(fd: int, deed: Deed, realm: Realm) -> Done:
    here = f"/proc/self/fd/{fd}"
    facts = os.fstat(fd)
    may = _may(deed, facts, realm)
    if realm.write is not None and not covered(place := os.readlink(here), realm.write):
        return Done(-errno.EACCES, _refusal(place, may and facts.st_nlink > 0))
    if not may:
        return Done(-errno.EPERM)
    if deed.kind == "mode":
        os.chmod(here, deed.values[0])
    elif deed.kind == "times":
        os.utime(here, ns=_times(deed.values, (facts.st_atime_ns, facts.st_mtime_ns)))
    return Done(0)


def _refusal(place: str, may: bool) -> Refusal | None:
    """Of what lies nowhere (a pipe), none; without an option where that would not help."""
    if not place.startswith("/"):
        return None
    return Refusal(place, "write", option("write", lasting(place)) if may else "")


def _may(deed: Deed, facts: os.stat_result, realm: Realm) -> bool:
    if deed.kind != "owner":
        return facts.st_uid == realm.uid
    have = (facts.st_uid, facts.st_gid)
    return all(want in (-1, got) for want, got in zip(deed.values, have, strict=True))


def _times(values: tuple[int, ...], now: tuple[int, int]) -> tuple[int, int]:
    """The two times in ns; a time that is omitted stays as it is."""
    access, modification = (
        _time(seconds, part, old) for seconds, part, old in zip(values[::2], values[1::2], now, strict=True)
    )
    return access, modification


def _time(seconds: int, part: int, old: int) -> int:
    if part == UTIME_OMIT:
        return old
    return time.time_ns() if part == UTIME_NOW else seconds * _BILLION + part
