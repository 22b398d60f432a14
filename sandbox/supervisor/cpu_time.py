"""The CPU time of a run: the kernel's sum over what this process has waited for, put right.

That sum, RUSAGE_CHILDREN, lacks a process whose parent ignores SIGCHLD: nobody waits for it, so its time is
added to nobody's (wait(2), "NOTES"). It has too much of what is no guest: children from before the run, and
the process that counts output.
"""

from __future__ import annotations

from sandbox._kernel import calls
from sandbox.supervisor.stops import Exited, Killed
from sandbox.supervisor.tracee import Task, Tasks

SIGCHLD = 17


def waited_for_us() -> int:
    """CPU time in µs of all children waited for so far, and of theirs; execve does not reset it."""
    from resource import RUSAGE_CHILDREN, getrusage

    used = getrusage(RUSAGE_CHILDREN)
    return round((used.ru_utime + used.ru_stime) * 1e6)


class CpuTime:
    """Told of every end, it knows the sum. `foreign`: children this process had before the run."""

    def __init__(self, tasks: Tasks, foreign: set[int]) -> None:
        self._tasks = tasks
        self._foreign = foreign
        self._correction_us = 0

    def ended(self, task: Task, stop: Exited | Killed) -> None:
        """A guest task was waited for just now. Where its parent will wait for it too, or we in its place,
        its time is in the kernel's sum."""
        if task.tid == task.tgid and self._nobody_waits(task):
            self._correction_us += stop.cpu_us

    def other_ended(self, stop: Exited | Killed, *, ours: bool = False) -> None:
        """A process that is no known guest ended; `ours`: one that the supervisor started for itself."""
        if ours or stop.pid in self._foreign:
            self._correction_us -= stop.cpu_us

    def since(self, before_us: int) -> float:
        """Seconds since `waited_for_us` was `before_us`."""
        return max(0, waited_for_us() - before_us + self._correction_us) / 1e6

    def _nobody_waits(self, task: Task) -> bool:
        # With SIGCHLD ignored, the kernel frees the task before its tracer's wait4 returns (do_notify_parent
        # in wait_task_zombie). Else it is there until its parent waits, which may already have happened.
        if self._tasks.get(task.ppid) is None or _is_there(task.tid):
            return False
        return _ignores(task.ppid, SIGCHLD)


def _is_there(pid: int) -> bool:
    try:
        calls.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _ignores(pid: int, signo: int) -> bool:
    """proc_pid_status(5), SigIgn; False where the process is gone."""
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:
            _, found, rest = file.read(8192).partition(b"\nSigIgn:")
        return bool(found) and bool(int(rest.split(maxsplit=1)[0], 16) >> (signo - 1) & 1)
    except (OSError, ValueError, IndexError):
        return False
