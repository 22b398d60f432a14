"""The supervisor's `GuestView`: facts about one stopped task, for the rules."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from sandbox.rules.files import AT_FDCWD, Found, Wanted
from sandbox.supervisor import paths
from sandbox.supervisor.tracee import Stopped, Tasks


class StopView:
    """Facts about the task of one stop. Strings are read from the guest once and remembered, so what is
    judged is what is recorded. `making` says how many tasks are under way that `tasks` does not hold yet."""

    def __init__(self, stopped: Stopped, tasks: Tasks, making: Callable[[], int]) -> None:
        self._stopped = stopped
        self._making = making
        self._tasks = tasks
        self._strings: dict[int, bytes] = {}

    @property
    def pid(self) -> int:
        return self._stopped.task.tgid

    @property
    def tasks(self) -> int:
        return len(self._tasks) + self._making()

    def is_guest(self, pid: int) -> bool:
        return self._tasks.get(pid) is not None or self._is_newborn(pid) or self._is_zombie(pid)

    def _is_newborn(self, pid: int) -> bool:
        """Whether a task is ours that has not stopped yet: others know its id as soon as it is made."""
        return self._making() > 0 and tracer_of(pid) == os.getpid()

    def _is_zombie(self, pid: int) -> bool:
        """Whether a guest of this id is gone but not waited for by its parent, which is a guest or we."""
        if pid not in self._tasks.ended:
            return False
        state, parent = process_state(pid)
        return state == "Z" and (parent == os.getpid() or self._tasks.get(parent) is not None)

    def guests(self) -> set[int]:
        return self._tasks.groups()

    def guests_in_group(self, pgid: int) -> set[int]:
        return {pid for pid in self._tasks.groups() if _group_of(pid) == pgid}

    def is_guest_group(self, pgid: int) -> bool:
        # A group is named after the process that made it, and its number is not used again while it has a
        # member. So one that a guest made, and that a guest is in, holds guests: others cannot join it.
        made_here = pgid in self._tasks.groups() or pgid in self._tasks.ended
        return made_here and pgid != os.getpgrp() and bool(self.guests_in_group(pgid))

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

    def may_execute(self, path: bytes) -> bool:
        return os.access(self.as_seen_here(path), os.X_OK, effective_ids=True)

    def file_head(self, path: bytes, length: int) -> bytes | None:
        return regular_file_head(self.as_seen_here(path), length)

    def find(self, wanted: Wanted) -> Found | None:
        """Where a path of the call leads, as the kernel would find it; None where it cannot be told."""
        try:
            path = self.read_string(wanted.address)
        except OSError:
            return None
        if wanted.dirfd != AT_FDCWD and not path.startswith(b"/"):
            path = b"/proc/%d/fd/%d/%s" % (self._stopped.tid, wanted.dirfd, path)
        else:
            path = self.as_seen_here(path)
        return paths.find_name(path) if wanted.name else paths.find(path)

    def as_seen_here(self, path: bytes) -> bytes:
        """A path of the guest's, from its working directory, as the supervisor finds the same file."""
        # By the task's own id: where a process's first thread has ended, /proc/PID has no files any more.
        me = b"/proc/%d" % self._stopped.tid
        for own in (b"/proc/self/", b"/proc/thread-self/"):
            if path.startswith(own):
                return me + b"/" + path[len(own) :]
        return path if path.startswith(b"/") else me + b"/cwd/" + path


def process_state(pid: int) -> tuple[str, int]:
    """State letter and parent of a process (proc_pid_stat(5)); ("", 0) where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read(4096).rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[1])
    except (OSError, ValueError, IndexError):
        return "", 0


def tracer_of(pid: int) -> int:
    """The process that traces a task (proc_pid_status(5)); 0 where none does, or there is no such task."""
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:
            return int(file.read(4096).partition(b"\nTracerPid:")[2].split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


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
