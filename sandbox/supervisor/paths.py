"""Where a path leads, asked of the kernel: at its speed, with its limit of 40 links, and in few looks.

Nothing is opened for real (O_PATH): no FIFO blocks, no device acts. A guest makes its paths as long and as
winding as it likes, and every guest waits while the supervisor looks: so the work has a bound.
"""

from __future__ import annotations

import os
import stat

from sandbox.rules.files import Found

# One look for most paths, two for a name that is not there. To find how much of a path is there takes one
# more for each doubling of its names, of which PATH_MAX holds two thousand.
MOST_LOOKS = 16


def find(path: bytes) -> Found | None:
    """Where an absolute path leads; None where that cannot be told."""
    try:
        return _Search().find(_names(path))
    except (OSError, ValueError):
        return None


def find_name(path: bytes) -> Found | None:
    """Where the name at a path's end lies; a link of that name is not followed."""
    head, _, name = path.rstrip(b"/").rpartition(b"/")
    if name in (b"", b".", b".."):
        return find(path)
    above = find(head)
    return above and above._replace(
        path=os.path.join(above.path, os.fsdecode(name)), missing=above.missing + 1, directory=False
    )


def _names(path: bytes) -> list[bytes]:
    return [name for name in path.split(b"/") if name not in (b"", b".")]


class _Search:
    def __init__(self) -> None:
        self._left = MOST_LOOKS

    def find(self, names: list[bytes]) -> Found:
        """Raises OSError, also after very many looks."""
        while True:
            found, depth = self._deepest(names)
            if depth == len(names):
                return found
            first, *rest = names[depth:]
            link = _target(found.place, first)
            if link is None:
                path = os.path.join(found.place, os.fsdecode(b"/".join(names[depth:])))
                return found._replace(path=path, missing=len(names) - depth, directory=False)
            # A link that leads nowhere: what is missing is what it leads to.
            base = [] if link.startswith(b"/") else _names(os.fsencode(found.place))
            names = [*base, *_names(link), *rest]

    def _deepest(self, names: list[bytes]) -> tuple[Found, int]:
        """The longest beginning of a path that is there, and how many names it has."""
        if found := self._look(names):
            return found, len(names)
        depth, beyond, middle = 0, len(names), len(names) - 1
        while middle > depth:
            if there := self._look(names[:middle]):
                found, depth = there, middle
            else:
                beyond = middle
            middle = (depth + beyond) // 2
        found = found or self._look([])
        if found is None:
            raise FileNotFoundError
        return found, depth

    def _look(self, names: list[bytes]) -> Found | None:
        """None where a name is missing or may not be looked for. Raises OSError for anything else."""
        self._left -= 1
        if self._left < 0:
            raise OSError("too many looks")
        try:
            fd = os.open(b"/" + b"/".join(names), os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None
        try:
            return _found(fd)
        finally:
            os.close(fd)


def _found(fd: int) -> Found:
    place = os.readlink(f"/proc/self/fd/{fd}")
    if not place.startswith("/"):
        raise OSError("a pipe or socket, which lies nowhere")
    facts = os.fstat(fd)
    return Found(place, place, 0, stat.S_ISDIR(facts.st_mode), facts.st_dev)


def _target(place: str, name: bytes) -> bytes | None:
    try:
        return os.readlink(os.path.join(os.fsencode(place), name))
    except OSError:
        return None
