"""Which paths a call names and what it wants of them, for telling what Landlock refused. Pure.

Nothing is decided here: the kernel decides about files. A call that came back with EACCES or EXDEV and
wanted a path that `[files]` does not cover is a refusal that a person wants to read about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from sandbox.syscalls import table
from sandbox.syscalls.call import Call, signed_32

Right = Literal["read", "write", "exec"]

O_ACCMODE, O_CREAT, O_TRUNC, O_PATH = 0o3, 0o100, 0o1000, 0o10000000
AT_FDCWD = -100
# Landlock answers EACCES; EXDEV where a file would get more rights by a link or rename (landlock(7)).
LANDLOCK_ERRORS = frozenset({-13, -18})


class Wanted(NamedTuple):
    """A path a call names: relative to descriptor `dirfd` (AT_FDCWD: the working directory)."""

    dirfd: int
    address: int
    right: Right


class Found(NamedTuple):
    """Where a path leads: `path` is without links, its last `missing` names are not there, and `place` is
    the deepest that is, on device `device`. `directory`: the path's end is there and is a directory."""

    path: str
    place: str
    missing: int
    directory: bool
    device: int


def _opens(flags: int) -> Right:
    return "write" if flags & (O_ACCMODE | O_CREAT | O_TRUNC) else "read"


class _Place(NamedTuple):
    """Argument indices: of the path, of its dirfd (-1: none), of open flags (-1: `right` holds)."""

    path: int
    dirfd: int = -1
    flags: int = -1
    right: Right = "write"


_PLACES: dict[str, tuple[_Place, ...]] = {
    "open": (_Place(0, flags=1),),
    "openat": (_Place(1, 0, flags=2),),
    "creat": (_Place(0),),
    "truncate": (_Place(0),),
    "unlink": (_Place(0),),
    "unlinkat": (_Place(1, 0),),
    "rmdir": (_Place(0),),
    "mkdir": (_Place(0),),
    "mkdirat": (_Place(1, 0),),
    "mknod": (_Place(0),),
    "mknodat": (_Place(1, 0),),
    "symlink": (_Place(1),),
    "symlinkat": (_Place(2, 1),),
    "link": (_Place(0), _Place(1)),
    "linkat": (_Place(1, 0), _Place(3, 2)),
    "rename": (_Place(0), _Place(1)),
    "renameat": (_Place(1, 0), _Place(3, 2)),
    "renameat2": (_Place(1, 0), _Place(3, 2)),
    "execve": (_Place(0, right="exec"),),
    "execveat": (_Place(1, 0, right="exec"),),
}
_BY_NUMBER = {table.NUMBERS[name]: places for name, places in _PLACES.items()}

CALLS: frozenset[int] = frozenset(_BY_NUMBER)
"""Numbers of the calls that name a path Landlock decides about."""


def wanted(call: Call) -> list[Wanted]:
    """The paths the call names, with what it wants of each."""
    return [
        Wanted(
            AT_FDCWD if place.dirfd < 0 else signed_32(call.args[place.dirfd]),
            call.args[place.path],
            place.right if place.flags < 0 else _opens(call.args[place.flags]),
        )
        for place in _BY_NUMBER.get(call.nr, ())
    ]


def covered(path: str, roots: tuple[str, ...]) -> bool:
    """True where the path is one of `roots`, or beneath one."""
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)


def refused(
    call: Call, allowed: dict[Right, tuple[str, ...]], resolve: Callable[[int, int], str | None]
) -> tuple[str, Right] | None:
    """The first path the call wanted and `[files]` does not allow, with the right it lacked.

    `resolve(dirfd, address)` gives the path as the kernel would find it, or None.
    """
    for one in wanted(call):
        path = resolve(one.dirfd, one.address)
        if path is not None and not covered(path, allowed[one.right]):
            return path, one.right
    return None
