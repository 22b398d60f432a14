"""The ground of one attack: a working directory, and beside it a secret and a canary it must not touch."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from types import TracebackType
from typing import NamedTuple

SECRET_MARK = "ATTACK-SECRET:"


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
        self.base = tempfile.mkdtemp(prefix="sandbox-attack-")
        self.work = os.path.join(self.base, "work")
        self.outside = os.path.join(self.base, "outside")
        self.secret = os.path.join(self.outside, "secret")
        self.canary = os.path.join(self.outside, "canary")
        os.chmod(self.base, 0o755)
        for directory in (self.work, self.outside):
            os.mkdir(directory)
            os.chmod(directory, 0o777)
        self._write(self.secret, f"{SECRET_MARK}{token}\n")
        self._write(self.canary, "unchanged\n")
        self._before: dict[str, _Seen] = {}

    def _write(self, path: str, text: str) -> None:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(path, 0o666)

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
        seen = {".": _look(self.outside)}
        for name in os.listdir(self.outside):
            seen[name] = _look(os.path.join(self.outside, name))
        return seen

    def __enter__(self) -> Ground:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.base, ignore_errors=True)


def _look(path: str) -> _Seen:
    facts = os.lstat(path)
    content = b""
    attributes: tuple[str, ...] = ()
    if stat.S_ISREG(facts.st_mode):
        with open(path, "rb") as stream:
            content = stream.read(1 << 16)
        attributes = tuple(os.listxattr(path))
    owner = (facts.st_uid, facts.st_gid)
    return _Seen(facts.st_mode, owner, facts.st_nlink, facts.st_ino, facts.st_mtime_ns, attributes, content)


def _difference(name: str, before: _Seen | None, after: _Seen | None) -> str:
    what = "the directory outside" if name == "." else f"the file {name!r} outside"
    if before is None or after is None:
        return f"{what} {'is new' if before is None else 'is gone'}"
    changed = [field for field in _Seen._fields if getattr(before, field) != getattr(after, field)]
    return f"{what} has changed ({', '.join(changed)})"
