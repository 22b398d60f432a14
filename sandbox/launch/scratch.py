"""The private scratch directory of a run: made before, given to the guest as TMPDIR, removed after."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from sandbox.errors import SetupError

PREFIX = "sandbox-"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def parent(outer: Mapping[str, str]) -> str:
    """Where scratch directories are made, by the caller's environment; a TMPDIR that is empty is none."""
    return os.path.abspath(outer.get("TMPDIR") or "/tmp")


def make(parent: str, owner: tuple[int, int] | None) -> str:
    """A new directory in `parent`, mode 0700 whatever the umask, for `owner` (uid, gid).

    Raises SetupError; nothing is left behind then.
    """
    for _ in range(100):
        path = os.path.join(parent, PREFIX + os.urandom(8).hex())
        try:
            os.mkdir(path, 0o700)
            _prepare(path, owner)
            return os.path.realpath(path)
        except FileExistsError:
            continue
        except OSError as error:
            raise SetupError(f"cannot make a scratch directory in {parent}: {error.strerror}") from None
    raise SetupError(f"cannot make a scratch directory in {parent}: every name is taken")


def _prepare(path: str, owner: tuple[int, int] | None) -> None:
    """Rights and owner of a new directory; it is gone again where they cannot be had. Raises OSError."""
    try:
        os.close(_accessible(path))
        if owner is not None:
            os.chown(path, *owner, follow_symlinks=False)
    except OSError:
        os.rmdir(path)
        raise


def _accessible(path: str) -> int:
    """The directory itself, opened after it has got mode 0700. Raises OSError."""
    place = os.open(path, _PLACE)
    try:
        # fchmod(2) takes no O_PATH descriptor, and chmod(2) by the path could follow a link.
        os.chmod(f"/proc/self/fd/{place}", 0o700)
        return os.open(".", _DIRECTORY, dir_fd=place)
    finally:
        os.close(place)


def remove(path: str) -> bool:
    """Remove a directory a guest had for itself; True where nothing is left. Never raises OSError.

    Nothing outside is touched, whatever the guest made there: no link is followed, and directories are
    opened relative to their parents. A tree too deep to walk is taken apart from the top: a directory found
    inside another is moved up beside it first, so no path grows long.
    """
    try:
        os.rmdir(path)  # an empty one goes even where no descriptor is left
        return True
    except OSError:
        pass
    try:
        top = _accessible(path)
    except OSError:
        return not os.path.lexists(path)
    try:
        while names := _entries(top):
            for name in names:
                _remove_entry(top, name)
    except OSError:
        return False
    finally:
        os.close(top)
    try:
        os.rmdir(path)
    except OSError:
        return False
    return True


def _entries(fd: int) -> list[str]:
    os.fchmod(fd, 0o700)
    return os.listdir(fd)


def _remove_entry(top: int, name: str) -> None:
    """Remove a file, or a directory whose directories move up beside it."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=top)
        return
    _open_up(top, name)
    fd = os.open(name, _DIRECTORY, dir_fd=top)
    try:
        for inner in _entries(fd):
            if stat.S_ISDIR(os.stat(inner, dir_fd=fd, follow_symlinks=False).st_mode):
                _open_up(fd, inner)
                os.rename(inner, os.urandom(16).hex(), src_dir_fd=fd, dst_dir_fd=top)
            else:
                os.unlink(inner, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=top)


def _open_up(parent: int, name: str) -> None:
    """Make a directory searchable for us; nobody else is left who could swap it for a link."""
    mode = stat.S_IMODE(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    if mode & 0o700 != 0o700:
        os.chmod(name, 0o700, dir_fd=parent)
