"""The ground of one attack: a working directory, and beside it a secret and a canary it must not touch."""

from __future__ import annotations

import os
import stat
import tempfile
from types import TracebackType
from typing import NamedTuple

from sandbox.launch.own_directory import OwnDirectory, make

SECRET_MARK = "ATTACK-SECRET:"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class _Seen(NamedTuple):
    mode: int
    owner: tuple[int, int]
    links: int
    inode: int
    mtime_ns: int
    attributes: tuple[str, ...]
    content: bytes


class Ground:
    """Fresh directories; a context manager that removes them. `token` differs from run to run.

    Only the sandbox stands between a guest and what is outside: permissions allow everybody everything.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._base = make(tempfile.gettempdir(), "sandbox-attack-", 0o755)
        try:
            self._work = self._base.directory("work", 0o777)
            self._outside = self._base.directory("outside", 0o777)
            self._outside.write("secret", f"{SECRET_MARK}{token}\n".encode(), 0o666)
            self._outside.write("canary", b"unchanged\n", 0o666)
            self._name(self._work.path, self._outside.path)
        except BaseException:
            self._base.remove()
            raise
        self._before: dict[str, _Seen] = {}

    def _name(self, work: str, outside: str) -> None:
        self.work = work
        self.outside = outside
        self.secret = os.path.join(outside, "secret")
        self.canary = os.path.join(outside, "canary")

    @property
    def work_here(self) -> str:
        """The working directory for a child of ours to begin in, whatever its name leads to."""
        return self._work.here

    @property
    def outside_here(self) -> str:
        """The same of the directory outside."""
        return self._outside.here

    def add(self, source: str) -> str:
        """Copy a program to where every user may run it, and where no harm done to it lasts; its path."""
        name = os.path.basename(source)
        with open(source, "rb") as stream:
            self._base.write(name, stream.read(), 0o755)
        return os.path.join(self._base.path, name)

    def environment(self) -> dict[str, str]:
        """What a program is told of the ground."""
        return {"ATTACK_SECRET": self.secret, "ATTACK_CANARY": self.canary, "ATTACK_DIR": self.work}

    def remember(self) -> None:
        """What is outside now is how it must be afterwards."""
        self._before = self._seen()

    def damage(self) -> list[str]:
        """What changed outside the working directory, one phrase each."""
        after = self._seen()
        names = sorted(self._before.keys() | after.keys())
        return [
            _difference(name, self._before.get(name), after.get(name))
            for name in names
            if self._before.get(name) != after.get(name)
        ]

    def leaked_into(self, output: bytes) -> bool:
        """Whether the secret is in what a program printed."""
        return self._token.encode() in output

    def _seen(self) -> dict[str, _Seen]:
        names = (".", *os.listdir(self._outside.fd))
        return {name: _look(self._outside, name) for name in names}

    def __enter__(self) -> Ground:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.remove()


def _look(directory: OwnDirectory, name: str) -> _Seen:
    facts = os.stat(name, dir_fd=directory.fd, follow_symlinks=False)
    content = b""
    attributes: tuple[str, ...] = ()
    if stat.S_ISREG(facts.st_mode):
        with open(os.open(name, _READ, dir_fd=directory.fd), "rb") as stream:
            content = stream.read(1 << 16)
            attributes = tuple(os.listxattr(stream.fileno()))
    owner = (facts.st_uid, facts.st_gid)
    return _Seen(facts.st_mode, owner, facts.st_nlink, facts.st_ino, facts.st_mtime_ns, attributes, content)


def _difference(name: str, before: _Seen | None, after: _Seen | None) -> str:
    what = "the directory outside" if name == "." else f"the file {name!r} outside"
    if before is None or after is None:
        return f"{what} {'is new' if before is None else 'is gone'}"
    changed = [field for field in _Seen._fields if getattr(before, field) != getattr(after, field)]
    return f"{what} has changed ({', '.join(changed)})"
