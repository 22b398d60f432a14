"""Modes, times and owners of files: what Landlock does not decide about, done by the supervisor instead.

The verdict names a deed. The supervisor opens the file, looks where what it opened lies, and acts on that
very file; so it does not matter what a guest makes of the path meanwhile (see supervisor/metadata.py).
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable

from sandbox.outcome import Deed, Emulate, Refuse, Return, Verdict
from sandbox.rules.view import GuestView
from sandbox.syscalls import table
from sandbox.syscalls.call import Call, signed_32

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH = 0x100, 0x1000
_KNOWN_FLAGS = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
_BILLION = 1_000_000_000


def _path(view: GuestView, address: int, flags: int) -> bytes | None:
    """The path at an address; None for the descriptor itself (AT_EMPTY_PATH). Raises OSError."""
    path = view.read_string(address)
    if not path and flags & AT_EMPTY_PATH:
        return None
    return path


def mode(wish: Emulate, call: Call, view: GuestView) -> Verdict:
    """chmod(2) and its like."""
    a = call.args
    name = table.name(call.nr)
    if name == "fchmod":
        if signed_32(a[0]) == AT_FDCWD:  # which names a directory to calls with a path only
            return Refuse(errno.EBADF, wish.rule)
        deed = Deed("mode", signed_32(a[0]), None, values=(a[1] & 0o7777,))
    elif name == "chmod":
        deed = Deed("mode", AT_FDCWD, view.read_string(a[0]), values=(a[1] & 0o7777,))
    else:
        flags = a[3] & 0xFFFF_FFFF if name == "fchmodat2" else 0
        if flags & ~_KNOWN_FLAGS:
            return Refuse(errno.EINVAL, wish.rule)
        follow = not flags & AT_SYMLINK_NOFOLLOW
        deed = Deed("mode", signed_32(a[0]), _path(view, a[1], flags), follow, (a[2] & 0o7777,))
    return Return(0, wish.rule, deed=deed)


def owner(wish: Emulate, call: Call, view: GuestView) -> Verdict:
    """chown(2) and its like: nobody is given anything, but asking for what is so already is no error."""
    a = call.args
    name = table.name(call.nr)
    ids = tuple(signed_32(one) for one in (a[2:4] if name == "fchownat" else a[1:3]))
    if name == "fchown":
        if signed_32(a[0]) == AT_FDCWD:
            return Refuse(errno.EBADF, wish.rule)
        deed = Deed("owner", signed_32(a[0]), None, values=ids)
    elif name == "fchownat":
        flags = a[4] & 0xFFFF_FFFF
        deed = Deed("owner", signed_32(a[0]), _path(view, a[1], flags), not flags & AT_SYMLINK_NOFOLLOW, ids)
    else:
        deed = Deed("owner", AT_FDCWD, view.read_string(a[0]), name != "lchown", ids)
    return Return(0, wish.rule, deed=deed)


def times(wish: Emulate, call: Call, view: GuestView) -> Verdict:
    """utimensat(2) and its like. Times are (access, modification) in ns, or UTIME_NOW, UTIME_OMIT."""
    a = call.args
    name = table.name(call.nr)
    flags = a[3] & 0xFFFF_FFFF if name == "utimensat" else 0
    if flags & ~_KNOWN_FLAGS:
        return Refuse(errno.EINVAL, wish.rule)
    with_dirfd = name in ("utimensat", "futimesat")
    dirfd, address, vector = (signed_32(a[0]), a[1], a[2]) if with_dirfd else (AT_FDCWD, a[0], a[1])
    pair = _READERS[name](view, vector) if vector else ((0, UTIME_NOW), (0, UTIME_NOW))
    if any(not 0 <= part < _BILLION and part not in (UTIME_NOW, UTIME_OMIT) for _, part in pair):
        return Refuse(errno.EINVAL, wish.rule)
    # With AT_FDCWD a null path is a bad address like any other (fs/utimes.c, do_utimes).
    path = None if with_dirfd and address == 0 and dirfd != AT_FDCWD else _path(view, address, flags)
    values = tuple(one for both in pair for one in both)
    return Return(0, wish.rule, deed=Deed("times", dirfd, path, not flags & AT_SYMLINK_NOFOLLOW, values))


_Pair = tuple[tuple[int, int], tuple[int, int]]


def _timespecs(view: GuestView, address: int) -> _Pair:
    a, b, c, d = struct.unpack("<4q", view.read(address, 32))
    return (a, b), (c, d)


def _timevals(view: GuestView, address: int) -> _Pair:
    (a, b), (c, d) = _timespecs(view, address)
    # Outside 0..999999 is EINVAL, which the caller finds in nanoseconds.
    return (a, b * 1000), (c, d * 1000)


def _utimbuf(view: GuestView, address: int) -> _Pair:
    access, modification = struct.unpack("<2q", view.read(address, 16))
    return (access, 0), (modification, 0)


_READERS: dict[str, Callable[[GuestView, int], _Pair]] = {
    "utimensat": _timespecs,
    "utimes": _timevals,
    "futimesat": _timevals,
    "utime": _utimbuf,
}
