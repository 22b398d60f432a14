"""The tasks of a run, and the handle that stands for one stop of one of them."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from sandbox._kernel import calls
from sandbox.errors import InternalError
from sandbox.outcome import Allow, Rewrite
from sandbox.syscalls.call import Call

_ALL_SIGNALS = (1 << 64) - 1


Strings = dict[int, bytes | OSError]
"""What was read at addresses of a guest, or why it could not be read."""


class PathCall(NamedTuple):
    """A call with paths under way: as it was judged, and the strings that were read then."""

    call: Call
    verdict: Allow | Rewrite
    strings: Strings


class Task:
    """One guest task (thread). `restore` holds argument registers to put back at the end of its call."""

    __slots__ = (
        "blocked_since",
        "image",
        "killed_by",
        "launching",
        "path_call",
        "ppid",
        "restore",
        "signalled",
        "tgid",
        "tid",
        "watching",
    )

    def __init__(self, tid: int, tgid: int, ppid: int) -> None:
        self.tid = tid
        self.tgid = tgid
        self.ppid = ppid
        self.launching = False
        self.restore: dict[str, int] = {}
        self.image: dict[str, Any] | None = None
        self.watching: dict[str, Any] | None = None
        self.path_call: PathCall | None = None
        self.killed_by: str | None = None
        self.signalled = 0
        self.blocked_since = 0


class Stopped:
    """A task in a ptrace stop: the only thing that reads or changes a guest. Spent by `go` or `answer`;
    any use after that raises InternalError. Every method raises ProcessLookupError if the task vanished."""

    __slots__ = ("_spent", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        self._spent = False

    @property
    def tid(self) -> int:
        """The task's id, for requests; InternalError once the stop is spent."""
        if self._spent:
            raise InternalError(f"stale use of a stop of task {self.task.tid}")
        return self.task.tid

    def registers(self) -> calls.Registers:
        """All general registers."""
        return calls.registers(self.tid)

    def set_register(self, name: str, value: int) -> None:
        """Write one register."""
        calls.set_register(self.tid, name, value)

    def block_signals(self) -> int:
        """Block every signal that can be; returns the mask to put back."""
        mask = calls.signal_mask(self.tid)
        calls.set_signal_mask(self.tid, _ALL_SIGNALS)
        return mask

    def set_signal_mask(self, mask: int) -> None:
        """Set the blocked signals."""
        calls.set_signal_mask(self.tid, mask)

    def read(self, address: int, length: int) -> bytes:
        """Guest memory; OSError EFAULT."""
        return calls.read(self.tid, address, length)

    def read_string(self, address: int, limit: int = calls.PATH_MAX) -> bytes:
        """A guest string; OSError EFAULT or ENAMETOOLONG."""
        return calls.read_string(self.tid, address, limit)

    def write(self, address: int, data: bytes) -> None:
        """Store in guest memory; OSError EFAULT."""
        calls.write(self.tid, address, data)

    def spend(self) -> int:
        """The tid, for the one request that ends this stop."""
        tid = self.tid
        self._spent = True
        return tid

    def go(self, request: int = calls.PTRACE_CONT, signo: int = 0) -> None:
        """Let the task go on at once (the loop's own resume is fused with its wait)."""
        calls.resume(self.spend(), request, signo)


class Tasks:
    """Every live task, by tid. Kept exact: a task is here from its first sign of life to its end."""

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self.made = 0
        self.ended: deque[int] = deque(maxlen=1024)

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, tid: int, tgid: int, ppid: int) -> Task:
        """A task was seen for the first time."""
        task = self._tasks[tid] = Task(tid, tgid, ppid)
        if tid == tgid:
            self.made += 1
        return task

    def get(self, tid: int) -> Task | None:
        """The task, or None if it was never seen or is gone."""
        return self._tasks.get(tid)

    def remove(self, tid: int) -> Task | None:
        """The task is gone; returns it. `ended` keeps the last processes' ids."""
        if tid in self._tasks and self._tasks[tid].tgid == tid:
            self.ended.append(tid)
        return self._tasks.pop(tid, None)

    def rename(self, former: int, leader: int) -> Task:
        """`former` called execve: it is now `leader`, and every other task of the group is gone."""
        task = self._tasks.pop(former)
        for tid in [t.tid for t in self._tasks.values() if t.tgid == leader]:
            del self._tasks[tid]
        task.tid = leader
        self._tasks[leader] = task
        return task

    def groups(self) -> set[int]:
        """The thread group (process) ids of all live tasks."""
        return {task.tgid for task in self._tasks.values()}

    def all(self) -> list[Task]:
        """Every live task, as a copy."""
        return list(self._tasks.values())
