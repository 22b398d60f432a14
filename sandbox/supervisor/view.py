"""The supervisor's `GuestView`: facts about one stopped task, for the rules."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from sandbox._kernel import behalf
from sandbox._kernel.behalf import GuestRights
from sandbox.rules.files import AT_FDCWD, Found, Wanted, covered
from sandbox.supervisor import paths
from sandbox.supervisor.paths import Caller
from sandbox.supervisor.tracee import Stopped, Strings, Tasks


class StopView:
    """Facts about the task of one stop. Strings are read from the guest once and remembered, so what is
    judged is what is recorded; `strings` are those of an earlier stop of the same call. `making` says how
    many tasks are under way that `tasks` does not hold yet; `rights` are the guests', and `executable` the
    places where Landlock lets them execute (None: anywhere)."""

    def __init__(
        self,
        stopped: Stopped,
        tasks: Tasks,
        making: Callable[[], int],
        rights: GuestRights,
        executable: tuple[str, ...] | None,
        strings: Strings | None = None,
    ) -> None:
        self._stopped = stopped
        self._making = making
        self._tasks = tasks
        self._rights = rights
        self._executable = executable
        self.strings: Strings = {} if strings is None else strings

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
        found = self.try_string(address)
        if isinstance(found, OSError):
            raise found
        return found

    def try_string(self, address: int) -> bytes | OSError:
        """`read_string`, or what it would raise; but raises ProcessLookupError."""
        if address not in self.strings:
            try:
                self.strings[address] = self._stopped.read_string(address)
            except ProcessLookupError:
                raise
            except OSError as error:
                self.strings[address] = error
        return self.strings[address]

    def is_directory(self, fd: int) -> bool | None:
        try:
            return stat.S_ISDIR(os.stat(f"/proc/{self._stopped.tid}/fd/{fd}").st_mode)
        except OSError:
            return None

    def program_head(self, path: bytes, length: int) -> bytes | None:
        fd = self._open_program(path)
        if fd < 0:
            return None
        try:
            with self._rights:
                return self._head(fd, length)
        finally:
            os.close(fd)

    def _open_program(self, path: bytes) -> int:
        """An O_PATH descriptor of what an execve would run; -1 where it would run nothing."""
        try:
            fd = paths.open_path(self.caller, AT_FDCWD, path)
        except (OSError, ValueError):
            return -1
        if self._executable is None or covered(_place(fd), self._executable):
            return fd
        os.close(fd)
        return -1

    def _head(self, fd: int, length: int) -> bytes | None:
        if not stat.S_ISREG(os.fstat(fd).st_mode) or not behalf.may_execute(fd):
            return None
        try:
            file = behalf.reopen(fd)
        except PermissionError:
            if self._rights.less:
                return None  # we can read it once it runs
            raise
        except OSError:
            return None
        try:
            return os.read(file, length)
        except OSError:
            return None
        finally:
            os.close(file)

    @property
    def caller(self) -> Caller:
        """Whose paths they are."""
        tid, task = self._stopped.tid, self._stopped.task
        return Caller(tid, task.tgid, self._rights, lambda pid: self._tasks.get(pid) is not None)

    def find(self, wanted: Wanted) -> Found | None:
        """Where a path of the call leads, as the kernel would find it; None where it cannot be told."""
        try:
            path = self.read_string(wanted.address)
        except OSError:
            return None
        look = paths.find_name if wanted.name else paths.find
        return look(self.caller, wanted.dirfd, path)


def _place(fd: int) -> str:
    """Where an open file lies; '' where its path is too long to be told."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""


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
