"""How much CPU time and memory a run uses, and whether that is more than it may.

CPU time is exact: a task's own is read while it runs and once more at its exit stop, whoever reaps it.
Memory is what the live processes hold (anonymous and shared memory, proc_pid_status(5)); it is looked at
every 50 ms, and the sooner the nearer the limit is, down to 2 ms: a run can pass its limit by what it
touches in that time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

from sandbox.policy.model import Limits
from sandbox.supervisor.tracee import Task

INTERVAL_NS = 50_000_000
SHORTEST_NS = 2_000_000
FASTEST = 4 << 30  # bytes a second: about what one CPU can touch of fresh memory, in large pages
_MAX_SHARE = 20  # one part in this many of the time may go into looking


class Passed(NamedTuple):
    """A limit that was passed: its name in `[limits]`, its value, and the text for a person."""

    which: str
    value: float
    text: str


def cpu_ns(tgid: int, tid: int) -> int:
    """CPU time of one task in ns (/proc/PID/task/TID/schedstat, first field); 0 where it is gone."""
    try:
        with open(f"/proc/{tgid}/task/{tid}/schedstat", "rb", buffering=0) as file:
            return int(file.read(100).split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def memory_passed(limit: int) -> Passed:
    """The limit on memory, whoever found that it is passed."""
    return Passed("memory", limit, f"memory limit of {limit} bytes")


_HELD = (b"RssAnon:", b"RssShmem:")


def memory_bytes(pid: int) -> int:
    """Anonymous and shared memory a process holds; 0 where it is gone."""
    return sum(_status(pid, field) for field in _HELD)


def peak_bytes(pid: int) -> int:
    """The most memory the process's image has held (VmHWM); 0 where it is gone."""
    return _status(pid, b"VmHWM:")


def _status(pid: int, field: bytes) -> int:
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:
            _, found, rest = file.read(8192).partition(b"\n" + field)
        return int(rest.split(maxsplit=1)[0]) * 1024 if found else 0
    except (OSError, ValueError, IndexError):
        return 0


def _held(tids: Iterable[int]) -> int:
    """What a process of these tasks holds. One that has ended, also the first of them, tells nothing."""
    return next((held for tid in tids if (held := memory_bytes(tid))), 0)


def wait_ns(room: int | None) -> int:
    """How long a run with this much memory left (None: any) may go unobserved."""
    if room is None:
        return INTERVAL_NS
    return min(INTERVAL_NS, max(SHORTEST_NS, room * 1_000_000_000 // FASTEST))


class Meter:
    """Looks at a run's tasks from time to time. `due_ns` (CLOCK_MONOTONIC) is when next, -1 for never."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._ended_ns = 0
        self.watches_cpu = limits.cpu is not None
        self.peak = 0
        watched = self.watches_cpu or limits.memory is not None
        self._room = limits.memory
        self.due_ns = time.monotonic_ns() + wait_ns(self._room) if watched else -1

    def ended(self, task: Task) -> None:
        """A task is at its exit stop."""
        if self.watches_cpu:
            self._ended_ns += cpu_ns(task.tgid, task.tid)

    @property
    def ended_s(self) -> float:
        """CPU time in s of the tasks that have ended; 0 where there is no limit on it."""
        return self._ended_ns / 1e9

    def see_peak(self, task: Task) -> None:
        """An image of the main guest is about to be gone. Its successor, and wait4(2) of the first image,
        which was a copy of the supervisor, do not tell what it has held."""
        self.peak = max(self.peak, peak_bytes(task.tid))

    def look(self, tasks: Iterable[Task], sharing: set[int]) -> Passed | None:
        """The limit that is passed now, if one is. `sharing` are processes whose memory is their child's."""
        started = time.monotonic_ns()
        tasks = list(tasks)
        passed = self._cpu(tasks) or self._memory(tasks, sharing)
        took = time.monotonic_ns() - started
        self.due_ns = started + max(wait_ns(self._room), took * _MAX_SHARE)
        return passed

    def _cpu(self, tasks: list[Task]) -> Passed | None:
        limit = self._limits.cpu
        if limit is None:
            return None
        used = self._ended_ns + sum(cpu_ns(task.tgid, task.tid) for task in tasks)
        return Passed("cpu", limit, f"CPU limit of {limit:g} s") if used > limit * 1e9 else None

    def _memory(self, tasks: list[Task], sharing: set[int]) -> Passed | None:
        limit = self._limits.memory
        if limit is None:
            return None
        threads: dict[int, list[int]] = {}
        for task in tasks:
            if task.tgid not in sharing:
                threads.setdefault(task.tgid, []).append(task.tid)
        held = sum(_held(tids) for tids in threads.values())
        self._room = limit - held
        return memory_passed(limit) if held > limit else None
