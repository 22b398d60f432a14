"""Program images: what an execve asked for, and what runs after it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from sandbox._kernel import calls
from sandbox._kernel.calls import PATH_MAX
from sandbox.errors import InternalError, SandboxError
from sandbox.rules.execve import is_x86_64_elf
from sandbox.rules.view import GuestView
from sandbox.syscalls import decode, table
from sandbox.syscalls.call import Call

_EXECVE = table.NUMBERS["execve"]
_EXECVEAT = table.NUMBERS["execveat"]
EXEC_CALLS = frozenset({_EXECVE, _EXECVEAT})
ARGUMENTS_SHOWN = 256
SHOWN_OF_LONG = 1024
SHOWN_OF_ARGUMENTS = 32 * 1024
ENAMETOOLONG = 36


Reader = Callable[[int], str | None]


def reader(view: GuestView) -> Reader:
    """How a record's arguments get at guest strings: None where they cannot be read."""

    def read(address: int) -> str | None:
        try:
            return shown(view.read_string(address))
        except OSError as error:
            return _beginning(view, address) if error.errno == ENAMETOOLONG else None

    return read


def shown(raw: bytes) -> str:
    """A guest's string for a record: of a long one its beginning, then how long it is."""
    if len(raw) <= SHOWN_OF_LONG:
        return decode.text(raw)
    return f"{decode.text(raw[:SHOWN_OF_LONG])}… ({len(raw)} bytes)"


def _beginning(view: GuestView, address: int) -> str | None:
    """The first part of a string that has no end within what is read of one."""
    try:
        return f"{decode.text(view.read(address, SHOWN_OF_LONG))}… ({PATH_MAX} bytes or more)"
    except OSError:
        return None


def request(call: Call, view: GuestView) -> dict[str, Any]:
    """Path and argv of an execve, for the record of its success."""
    at = 1 if call.nr == _EXECVEAT else 0
    read = reader(view)
    return {"path": read(call.args[at]) or "", "argv": _arguments(call.args[at + 1], view, read)}


def _arguments(vector: int, view: GuestView, read: Reader) -> list[str]:
    found: list[str] = []
    left = SHOWN_OF_ARGUMENTS
    try:
        while len(found) < ARGUMENTS_SHOWN and left > 0:
            pointer = int.from_bytes(view.read(vector + 8 * len(found), 8), "little")
            if pointer == 0:
                return found
            found.append(read(pointer) or "")
            left -= len(found[-1])
    except OSError:
        return found
    return [*found, "…"]


class Image:
    """The file a task runs, open while this context is: all that is said of it is said of one file. `native`
    is False, too, for a file that cannot be read: its task's memory could not be read either."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.identity, self.native = (0, 0), False
        if fd >= 0:
            facts = os.fstat(fd)
            self.identity = (facts.st_dev, facts.st_ino)
            self.native = is_x86_64_elf(os.pread(fd, 20, 0))

    def __enter__(self) -> Image:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def facts(self) -> dict[str, Any] | None:
        """The `elf` object of the audit record, or None where the file cannot be read."""
        from sandbox import elf

        try:
            return elf.facts(self._fd, elf.MAX_HASHED_OF_GUEST).as_dict() if self._fd >= 0 else None
        except SandboxError:
            return None


def handles(tid: int, signo: int) -> bool:
    """True where the task catches or ignores this signal (proc_pid_status(5), SigIgn and SigCgt)."""
    try:
        with open(f"/proc/{tid}/status", "rb", buffering=0) as file:
            lines = file.read(8192).splitlines()
    except OSError:
        return False
    masks = [int(line.split()[1], 16) for line in lines if line.startswith((b"SigIgn:", b"SigCgt:"))]
    return any(mask >> (signo - 1) & 1 for mask in masks)


def inspect(pid: int) -> Image:
    """The image of a task at its exec stop. Raises ProcessLookupError if the task vanished."""
    try:
        return Image(os.open(f"/proc/{pid}/exe", os.O_RDONLY | os.O_CLOEXEC))
    except FileNotFoundError:
        calls.registers(pid)  # of a task that vanished there are none
        raise InternalError(f"/proc/{pid}/exe is not there: what runs cannot be seen in this /proc") from None
    except OSError:
        return Image(-1)
