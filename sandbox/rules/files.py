"""Which paths a call names and what it wants of them, for telling what Landlock refused. Pure.

Nothing is decided here: the kernel decides about files. A call that came back with EACCES or EXDEV and
wanted a path that `[files]` does not cover is a refusal that a person wants to read about.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal, NamedTuple

from sandbox.rules.options import option
from sandbox.syscalls import table
from sandbox.syscalls.call import Call, signed_32

Right = Literal["read", "write", "exec"]

O_ACCMODE, O_CREAT, O_TRUNC, O_PATH = 0o3, 0o100, 0o1000, 0o10000000
AT_FDCWD = -100
# Landlock answers EACCES; EXDEV where a file would get more rights by a link or rename (landlock(7)).
LANDLOCK_ERRORS = frozenset({-13, -18})


class Wanted(NamedTuple):
    """A path a call names: relative to descriptor `dirfd` (AT_FDCWD: the working directory).

    `name`: the name itself is made or removed, which takes a right to its directory; `makes`: so it is
    where there is nothing of that name yet.
    """

    dirfd: int
    address: int
    right: Right
    name: bool = False
    makes: bool = False


class Found(NamedTuple):
    """Where a path leads: `path` is without links, its last `missing` names are not there, and `place` is
    the deepest that is, on device `device`. `directory`: the path's end is there and is a directory."""

    path: str
    place: str
    missing: int
    directory: bool
    device: int


class Refusal(NamedTuple):
    """A path that `[files]` does not allow a call, with the right it lacked, and the options of a run that
    would allow the call, for a shell; '' where none would."""

    path: str
    right: Right
    allow: str


def _opens(flags: int) -> Right:
    return "write" if flags & (O_ACCMODE | O_TRUNC) else "read"


class _Place(NamedTuple):
    """Argument indices: of the path, of its dirfd (-1: none), of open flags (-1: `right` holds)."""

    path: int
    dirfd: int = -1
    flags: int = -1
    right: Right = "write"
    name: bool = False
    makes: bool = False


def _name(path: int, dirfd: int = -1) -> _Place:
    return _Place(path, dirfd, name=True)


_PLACES: dict[str, tuple[_Place, ...]] = {
    "open": (_Place(0, flags=1),),
    "openat": (_Place(1, 0, flags=2),),
    "creat": (_Place(0, makes=True),),
    "truncate": (_Place(0),),
    "unlink": (_name(0),),
    "unlinkat": (_name(1, 0),),
    "rmdir": (_name(0),),
    "mkdir": (_name(0),),
    "mkdirat": (_name(1, 0),),
    "mknod": (_name(0),),
    "mknodat": (_name(1, 0),),
    "symlink": (_name(1),),
    "symlinkat": (_name(2, 1),),
    "link": (_name(0), _name(1)),
    "linkat": (_name(1, 0), _name(3, 2)),
    "rename": (_name(0), _name(1)),
    "renameat": (_name(1, 0), _name(3, 2)),
    "renameat2": (_name(1, 0), _name(3, 2)),
    "execve": (_Place(0, right="exec"),),
    "execveat": (_Place(1, 0, right="exec"),),
}
_BY_NUMBER = {table.NUMBERS[name]: places for name, places in _PLACES.items()}

_MOVES = {table.NUMBERS[name] for name in ("link", "linkat", "rename", "renameat", "renameat2")}

CALLS: frozenset[int] = frozenset(_BY_NUMBER)
"""Numbers of the calls that name a path Landlock decides about."""


def wanted(call: Call) -> list[Wanted]:
    """The paths the call names, with what it wants of each."""
    return [_wanted(call, place) for place in _BY_NUMBER.get(call.nr, ())]


def _wanted(call: Call, place: _Place) -> Wanted:
    flags = 0 if place.flags < 0 else call.args[place.flags]
    return Wanted(
        AT_FDCWD if place.dirfd < 0 else signed_32(call.args[place.dirfd]),
        call.args[place.path],
        place.right if place.flags < 0 else _opens(flags),
        place.name,
        place.makes or bool(flags & O_CREAT),
    )


def covered(path: str, roots: tuple[str, ...]) -> bool:
    """True where the path is one of `roots`, or beneath one."""
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)


class _Need(NamedTuple):
    """What a call needs: a right to `place`, an existing file or directory (None: it needs more than that,
    and no option helps), for the sake of `path`."""

    path: str
    right: Right
    place: str | None
    lists: bool = False


def refused(
    call: Call,
    allowed: dict[Right, tuple[str, ...]],
    find: Callable[[Wanted], Found | None],
    scratch: str = "",
) -> Refusal | None:
    """The first path the call wanted and `[files]` does not allow, with the right it lacked.

    `find` says where a path leads, or None; `scratch` is the directory that no other run will have.
    """
    seen = [(one, found) for one in wanted(call) if (found := find(one))]
    needs = [_need(one, found) for one, found in seen]
    if len(seen) == 2 and call.nr in _MOVES:
        needs += _needs_of_move(seen[0][1], seen[1][1], allowed["exec"])
    lacking = [need for need in needs if not _is_held(need, allowed)]
    if not lacking:
        return None
    return Refusal(lacking[0].path, lacking[0].right, _options(lacking, scratch))


def _need(one: Wanted, found: Found) -> _Need:
    if one.name or (one.makes and found.missing):
        directory = found.place if found.missing else os.path.dirname(found.path)
        return _Need(found.path, "write", directory if found.missing <= 1 else None)
    return _Need(found.path, one.right, None if found.missing else found.path, found.directory)


def _needs_of_move(old: Found, new: Found, run: tuple[str, ...]) -> list[_Need]:
    """No file may gain a right by its new place (landlock(7)); writing both, it can gain to be executed."""
    if old.device != new.device or not covered(new.place, run):
        return []
    return [_Need(old.path, "exec", old.place)]


def _is_held(need: _Need, allowed: dict[Right, tuple[str, ...]]) -> bool:
    place = need.place or need.path
    if covered(place, allowed[need.right]):
        return True
    # What may be executed may be read as well, but not listed (launch/confine.py, EXEC).
    return need.right == "read" and not need.lists and covered(place, allowed["exec"])


def _options(needs: list[_Need], scratch: str) -> str:
    found: dict[str, None] = {}
    for need in needs:
        if need.place is None or (scratch and covered(need.place, (scratch,))):
            return ""
        found[option(need.right, lasting(need.place))] = None
    return " ".join(found)


def lasting(place: str) -> str:
    """A process's own directory in /proc has another name in the next run."""
    first = place.removeprefix("/proc/").partition("/")[0]
    return "/proc" if place.startswith("/proc/") and first.isdecimal() else place
