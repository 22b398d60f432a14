"""Modes, times and owners of files: what Landlock does not decide about, done by the supervisor instead.

The verdict names a deed. The supervisor opens the file, looks where what it opened lies, and acts on that
very file; so it does not matter what a guest makes of the path meanwhile (see supervisor/metadata.py).
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from typing import Literal

from sandbox.outcome import Deed, Emulate, Refuse, Return, Verdict
from sandbox.rules.view import GuestView
from sandbox.syscalls import table
from sandbox.syscalls.call import Call, signed_32

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH = 0x100, 0x1000
_KNOWN_FLAGS = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2
_BILLION = 1_000_000_000

Kind = Literal["mode", "owner", "times"]


def _path(view: GuestView, address: int, flags: int) -> bytes | None:
    """The path at an address; None for the descriptor itself (AT_EMPTY_PATH). Raises OSError."""
    path = view.read_string(address)
    if not path and flags & AT_EMPTY_PATH:
        return None
    return path


def _deed(kind: Kind, dirfd: int, path: bytes | None, flags: int, values: tuple[int, ...]) -> Deed:
    """Of a call that names a file by descriptor and path; the flag for no path takes any descriptor."""
    follow = not flags & AT_SYMLINK_NOFOLLOW
    return Deed(kind, dirfd, path, follow, values, any_kind=path is None)


def _descriptor(wish: Emulate, deed: Deed) -> Verdict:
    """Of a call that takes a descriptor, of which AT_FDCWD is none (fs/open.c, ksys_fchmod)."""
    if deed.dirfd == AT_FDCWD:
        return Refuse(errno.EBADF, wish.rule)
    return Return(0, wish.rule, deed=deed)


def mode(wish: Emulate, call: Call, view: GuestView) -> Verdict:
    """chmod(2) and its like."""
    a = call.args
    name = table.name(call.nr)
    if name == "fchmod":
        return _descriptor(wish, Deed("mode", signed_32(a[0]), None, values=(a[1] & 0o7777,)))
    if name == "chmod":
        deed = Deed("mode", AT_FDCWD, view.read_string(a[0]), values=(a[1] & 0o7777,))
        return Return(0, wish.rule, deed=deed)
    flags = a[3] & 0xFFFF_FFFF if name == "fchmodat2" else 0
    if flags & ~_KNOWN_FLAGS:
        return Refuse(errno.EINVAL, wish.rule)
    deed = _deed("mode", signed_32(a[0]), _path(view, a[1], flags), flags, (a[2] & 0o7777,))
    return Return(0, wish.rule, deed=deed)


def owner(wish: Emulate, call: Call, view: GuestView) -> Verdict:
    """chown(2) and its like: nobody is given anything, but asking for what is so already is no error."""
    a = call.args
    name = table.name(call.nr)
    ids = tuple(signed_32(one) for one in (a[2:4] if name == "fchownat" else a[1:3]))
    if name == "fchown":
        return _descriptor(wish, Deed("owner", signed_32(a[0]), None, values=ids))
    if name == "fchownat":
        flags = a[4] & 0xFFFF_FFFF
        if flags & ~_KNOWN_FLAGS:
            return Refuse(errno.EINVAL, wish.rule)
        deed = _deed("owner", signed_32(a[0]), _path(view, a[1], flags), flags, ids)
    else:
        deed = Deed("owner", AT_FDCWD, view.read_string(a[0]), name != "lchown", ids)
    return Return(0, wish.rule, deed=deed)


def times(wish: Emulate, call: Call, view: GuestView) -> Verdict:
    """utimensat(2) and its like, in the kernel's order (fs/utimes.c). A bad nanosecond is told by the file's
    own change, which may fail of something else before."""
    a = call.args
    name = table.name(call.nr)
    flags = a[3] & 0xFFFF_FFFF if name == "utimensat" else 0
    with_dirfd = name in ("utimensat", "futimesat")
    dirfd, address, vector = (signed_32(a[0]), a[1], a[2]) if with_dirfd else (AT_FDCWD, a[0], a[1])
    pair = _READERS[name](view, vector) if vector else ((0, UTIME_NOW), (0, UTIME_NOW))
    if name == "utimensat" and all(part == UTIME_OMIT for _, part in pair):
        return Return(0, wish.rule)
    bad_part = name in ("utimes", "futimesat") and any(not 0 <= part < _BILLION for _, part in pair)
    if flags & ~_KNOWN_FLAGS or (vector and bad_part):
        return Refuse(errno.EINVAL, wish.rule)
    values = tuple(one for both in pair for one in both)
    # With AT_FDCWD a null path is a bad address like any other (fs/utimes.c, do_utimes).
    if with_dirfd and address == 0 and dirfd != AT_FDCWD:
        if flags:
            return Refuse(errno.EINVAL, wish.rule)
        return Return(0, wish.rule, deed=Deed("times", dirfd, None, values=values))
    deed = _deed("times", dirfd, _path(view, address, flags), flags, values)
    return Return(0, wish.rule, deed=deed)


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
