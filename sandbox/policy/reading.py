"""Policy files on disk: which file a name stands for, and its bytes, without ever waiting for them."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from sandbox.errors import PolicyError
from sandbox.policy.values import printable, quote

MAX_BYTES = 1 << 20
SUFFIX = ".toml"

_PACKAGE = __file__.rpartition("/policy/")[0]


class File(NamedTuple):
    """A file's path as it was named, its bytes, and what tells it from other files."""

    path: str
    data: bytes
    identity: tuple[int, int]


def _directories() -> tuple[str, ...]:
    """Where shipped policies are: in the installed package, or beside it in a source tree."""
    return f"{_PACKAGE}/policies", f"{_PACKAGE.rpartition('/')[0]}/policies"


def shipped() -> tuple[str, ...]:
    """The names of the shipped policies, sorted."""
    for directory in _directories():
        names = _policies_in(directory)
        if names:
            return names
    return ()


def _policies_in(directory: str) -> tuple[str, ...]:
    try:
        with os.scandir(directory) as entries:
            files = [entry.name for entry in entries]
    except OSError:
        return ()
    return tuple(sorted(name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX)))


def is_file_name(name: str) -> bool:
    """True where a policy is named by its file rather than by a shipped policy's name."""
    return "/" in name or name.endswith(SUFFIX)


def from_anywhere(name: str) -> str:
    """A policy's name for a command that runs in another directory: a file's as a whole path."""
    return os.path.abspath(name) if is_file_name(name) else name


def find_shipped(name: str) -> str:
    """The path of a shipped policy. Raises PolicyError where there is none of this name."""
    for directory in _directories():
        if name in _policies_in(directory):
            return f"{directory}/{name}{SUFFIX}"
    raise PolicyError(f"there is no shipped policy named {quote(name)}", allowed=describe_names())


def beside(path: str, name: str) -> str:
    """The path of file `name` as seen from the file at `path`."""
    directory, slash, _ = path.rpartition("/")
    return name if name.startswith("/") else f"{directory}{slash}{name}"


def describe_names() -> str:
    """What may name a policy, for a message."""
    return f"{', '.join(shipped())}, or a file whose name holds a / or ends in {SUFFIX}"


def read_file(path: str) -> File:
    """The bytes of a regular file of at most 1 MiB. Raises PolicyError for anything else.

    A FIFO, a device or a directory is refused without reading from it.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            return _read(fd, path)
        finally:
            os.close(fd)
    except (OSError, ValueError) as error:
        # ValueError: a path with a NUL character in it.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PolicyError(f"can't read the policy: {reason}", file=printable(path)) from None


def _read(fd: int, path: str) -> File:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise PolicyError("can't read the policy", file=printable(path), allowed="a regular file")
    data = b""
    while len(data) <= MAX_BYTES and (chunk := os.read(fd, MAX_BYTES + 1 - len(data))):
        data += chunk
    return File(path, data, (status.st_dev, status.st_ino))


def decode(data: bytes, file: str) -> str:
    """The bytes as text. Raises PolicyError for more than 1 MiB, and for what is not UTF-8."""
    file = printable(file)
    if len(data) > MAX_BYTES:
        raise PolicyError("the policy is too large", file=file, line=1, allowed=f"at most {MAX_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        raise PolicyError("the policy is not UTF-8 text", file=file, line=line, allowed="UTF-8") from None
