"""The supervisor's `GuestView`: facts about one stopped task, for the rules."""

from __future__ import annotations

import os
import stat

from sandbox.rules.files import AT_FDCWD
from sandbox.supervisor.tracee import Stopped, Tasks


class StopView:
    """Facts about the task of one stop. Strings are read from the guest once and remembered, so what is
    judged is what is recorded."""

    def __init__(self, stopped: Stopped, tasks: Tasks) -> None:
        self._stopped = stopped
        self._tasks = tasks
        self._strings: dict[int, bytes] = {}

    @property
    def pid(self) -> int:
        return self._stopped.task.tgid

    @property
    def tasks(self) -> int:
        return len(self._tasks)

    def is_guest(self, pid: int) -> bool:
        return self._tasks.get(pid) is not None

    def is_guest_group(self, pgid: int) -> bool:
        # A group named after a guest was made by guests, and only members of one session can join it.
        return pgid in self._tasks.groups() and pgid != os.getpgrp()

    def own_group(self) -> int:
        return os.getpgid(self.pid)

    def read(self, address: int, length: int) -> bytes:
        return self._stopped.read(address, length)

    def read_string(self, address: int) -> bytes:
        if address not in self._strings:
            self._strings[address] = self._stopped.read_string(address)
        return self._strings[address]

    def is_directory(self, fd: int) -> bool | None:
        try:
            return stat.S_ISDIR(os.stat(f"/proc/{self._stopped.tid}/fd/{fd}").st_mode)
        except OSError:
            return None

    def file_head(self, path: bytes, length: int) -> bytes | None:
        return regular_file_head(self._as_seen_here(path), length)

    def resolved(self, dirfd: int, address: int) -> str | None:
        """The path at `address` as the kernel would find it from here; None where it cannot be read."""
        try:
            path = self.read_string(address)
        except OSError:
            return None
        if dirfd != AT_FDCWD and not path.startswith(b"/"):
            path = b"/proc/%d/fd/%d/%s" % (self.pid, dirfd, path)
        else:
            path = self._as_seen_here(path)
        return os.fsdecode(os.path.realpath(path))

    def _as_seen_here(self, path: bytes) -> bytes:
        me = b"/proc/%d" % self.pid
        for own in (b"/proc/self/", b"/proc/thread-self/"):
            if path.startswith(own):
                return me + b"/" + path[len(own) :]
        return path if path.startswith(b"/") else me + b"/cwd/" + path


def regular_file_head(path: bytes | str, length: int) -> bytes | None:
    """The first bytes of a regular file, or None; opens nothing else (a FIFO would block, a device act)."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        return os.read(fd, length)
    except OSError:
        return None
    finally:
        os.close(fd)
