"""The places of a run: each is resolved once, and what follows uses its descriptor.

Another program can exchange a name for a link at any moment, also between two looks of ours. So a name is
opened once (O_PATH), what it led to is asked of the descriptor, and Landlock's rules, the guest's working
directory and the log are made from that.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sandbox.errors import SetupError, UsageError

_PATH = os.O_PATH | os.O_CLOEXEC
_NO_MORE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_DELETED = "the working directory is there no more; give another with --cwd DIR"


class Place(NamedTuple):
    """An open file or directory (O_PATH), and its path without links, as the kernel tells it."""

    path: str
    fd: int
    directory: bool


class Given(NamedTuple):
    """A path that an option of the run names, such as ("--read", "out"); it has to exist."""

    option: str
    path: str

    @property
    def text(self) -> str:
        """The path as `[files]` holds it: one that is relative starts at the caller's working directory."""
        return self.path if self.path.startswith("/") else f"./{self.path}"


def found_at(fd: int) -> str:
    """The path of an open file without links (proc_pid_fd(5)). Raises OSError without /proc."""
    return os.readlink(f"/proc/self/fd/{fd}")


def _place(fd: int) -> Place:
    try:
        return Place(found_at(fd), fd, stat.S_ISDIR(os.fstat(fd).st_mode))
    except BaseException:
        os.close(fd)
        raise


class Places:
    """What a run's paths lead to. Each is resolved once: what is needed at two moments is kept open until
    `close` (`find`), the rest is open for one moment (`opened`), as descriptors may be few.

    `names` says what `${…}` in `[files]` stands for: `cwd` from the beginning (but not if that is `/`, which
    would be everything), `program` and `scratch` once they are defined.
    """

    def __init__(self, cwd: str | None = None, given: Iterable[Given] = ()) -> None:
        """Opens the working directory and the paths that options name. Raises UsageError."""
        self.names: dict[str, str] = {}
        self._defined: dict[str, int] = {}
        self._found: dict[str, Place | None] = {}
        self.cwd = _open_directory(cwd)
        try:
            if self.cwd.path != "/":
                self.define("cwd", self.cwd.fd)
            for one in given:
                self._require(one)
        except BaseException:
            self.close()
            raise

    def _require(self, given: Given) -> None:
        if given.text in self._found:
            return
        try:
            self._found[given.text] = _place(os.open(given.path and given.text, _PATH))
        except (OSError, ValueError) as error:
            raise UsageError(f"{given.option} {given.path}: {_reason(error)}") from None

    def define(self, name: str, fd: int) -> None:
        """Let `${name}` stand for an open file. The descriptor stays the caller's, and open."""
        self.names[name] = found_at(fd)
        self._defined[name] = fd

    def find(self, text: str) -> Place | None:
        """What a path of `[files]` leads to; None if there is nothing, or its `${name}` has no value here.

        The descriptor is closed by `close`. Raises SetupError if no more can be opened.
        """
        if text not in self._found and self._has_value(text):
            self._found[text] = self._open(text)
        return self._found.get(text)

    @contextmanager
    def opened(self, text: str) -> Iterator[Place | None]:
        """As `find`, for a path that nobody looks at again; it is closed on leaving unless `find` had it."""
        if text in self._found:
            yield self._found[text]
            return
        place = self._open(text) if self._has_value(text) else None
        try:
            yield place
        finally:
            if place is not None:
                os.close(place.fd)

    def _has_value(self, text: str) -> bool:
        """Whether its `${name}`, if there is one, is defined yet."""
        return not text.startswith("${") or text[2:].partition("}")[0] in self._defined

    def _open(self, text: str) -> Place | None:
        name, _, rest = text[2:].partition("}") if text.startswith("${") else ("", "", text)
        beneath = rest.strip("/")
        try:
            if not name:
                return _place(os.open(text, _PATH))
            base = self._defined[name]
            return _place(os.open(beneath, _PATH, dir_fd=base) if beneath else os.dup(base))
        except OSError as error:
            if error.errno in _NO_MORE:
                raise SetupError(f"cannot open {text}: {error.strerror}") from None
            return None

    def find_all(self, texts: Iterable[str]) -> tuple[Place, ...]:
        """Those of the paths that lead to something."""
        return tuple(place for text in texts if (place := self.find(text)))

    def close(self) -> None:
        """Close every descriptor opened here."""
        for place in (self.cwd, *self._found.values()):
            if place is not None:
                os.close(place.fd)
        self._found.clear()

    def __enter__(self) -> Places:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open_directory(given: str | None) -> Place:
    """The guest's working directory. Raises UsageError."""
    try:
        place = _place(os.open("." if given is None else given, _PATH | os.O_DIRECTORY))
    except (OSError, ValueError) as error:
        if given is None and isinstance(error, FileNotFoundError):
            raise UsageError(_DELETED) from None
        raise UsageError(f"--cwd {given or '.'}: {_reason(error)}") from None
    if os.fstat(place.fd).st_nlink == 0:
        os.close(place.fd)
        raise UsageError(_DELETED)
    return place


def _reason(error: OSError | ValueError) -> str:
    """Why a path cannot be opened, within a sentence; ValueError: it holds a NUL byte."""
    text = error.strerror if isinstance(error, OSError) else None
    return (text or os.strerror(errno.ENOENT)).lower()
