"""Raw wait statuses to a closed union of stop types. The one reader of raw status; pure.

Each type says what the kernel promised and how the tracee may go on. Facts from ptrace(2) for tracees
attached with PTRACE_SEIZE and PTRACE_O_TRACESYSGOOD.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from sandbox._kernel import calls
from sandbox.errors import InternalError
from sandbox.syscalls.call import Call

SIGTRAP = 5
STOP_SIGNALS = frozenset({19, 20, 21, 22})  # SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU
ESRCH = 3
SI_KERNEL = 0x80
_INFO_EXIT = 2
_INFO_SECCOMP = 3

TaskEvent = Literal["fork", "vfork", "clone"]
_TASK_EVENTS: dict[int, TaskEvent] = {1: "fork", 2: "vfork", 3: "clone"}
_EVENT_EXEC = 4
_EVENT_EXIT = 6
_EVENT_SECCOMP = 7
_EVENT_STOP = 128


class SeccompStop(NamedTuple):
    """The filter said TRACE: the call has not run. Answer it, or resume to run it."""

    pid: int
    call: Call


class SyscallExit(NamedTuple):
    """A call resumed with PTRACE_SYSCALL ended without an event. `rval` may be a kernel restart code."""

    pid: int
    rval: int


class SyscallEntry(NamedTuple):
    """A call about to enter; seccomp is asked after it. Resume with PTRACE_SYSCALL to keep its exit."""

    pid: int


class NewTask(NamedTuple):
    """The tracee is inside a call that made `child`, which is traced already; rax is written later."""

    pid: int
    child: int
    event: TaskEvent


class ExecStop(NamedTuple):
    """execve succeeded and no instruction of the new image ran. `former` is the tid that called it."""

    pid: int
    former: int


class ExitStop(NamedTuple):
    """The task is about to be gone; its memory and times are still there. Only resuming it ends this stop."""

    pid: int


class TrapStop(NamedTuple):
    """A new task's first stop, or the end of a group-stop the tracee was listening in."""

    pid: int


class GroupStop(NamedTuple):
    """The whole thread group is stopped by job control; resume with PTRACE_LISTEN."""

    pid: int
    signo: int


class SignalStop(NamedTuple):
    """A signal is about to be delivered; resume with it, or it is lost. `sender` is None for the kernel.

    `code` is its si_code, which a guest chooses freely for a signal to itself (rt_sigqueueinfo(2)).
    """

    pid: int
    signo: int
    sender: int | None
    code: int


class Exited(NamedTuple):
    """The task is gone, with an exit status. `cpu_us` counts its reaped children in."""

    pid: int
    code: int
    cpu_us: int = 0
    maxrss_kb: int = 0


class Killed(NamedTuple):
    """The task is gone, by a signal."""

    pid: int
    signo: int
    cpu_us: int = 0
    maxrss_kb: int = 0


class Vanished(NamedTuple):
    """SIGKILL ended the stop before its details could be read; the end will be reported."""

    pid: int


class Control(NamedTuple):
    """A signal to the supervisor itself. `terminal`: the kernel sent it to the whole foreground group."""

    signo: int
    terminal: bool


class Deadline(NamedTuple):
    """The time given to the wait is over."""


class NoneLeft(NamedTuple):
    """There is no tracee any more."""


TraceeStop = (
    SeccompStop | SyscallExit | SyscallEntry | NewTask | ExecStop | TrapStop | GroupStop | SignalStop
)  # fmt: skip
Stop = TraceeStop | ExitStop | Exited | Killed | Vanished | Control | Deadline | NoneLeft


def classify(raw: calls.RawEvent) -> Stop:
    """The stop a raw event is. Raises InternalError for one the kernel was never asked to report."""
    if raw.kind == calls.STATUS:
        return _classify_status(raw)
    if raw.kind == calls.SIGNAL:
        return Control(raw.signo, raw.code == SI_KERNEL)
    if raw.kind == calls.DEADLINE:
        return Deadline()
    return NoneLeft()


def _classify_status(raw: calls.RawEvent) -> Stop:
    status = raw.status
    low = status & 0x7F
    if status & 0xFF != 0x7F:
        if low == 0:
            return Exited(raw.pid, (status >> 8) & 0xFF, raw.cpu_us, raw.maxrss_kb)
        return Killed(raw.pid, low, raw.cpu_us, raw.maxrss_kb)
    if raw.error:
        if raw.error == ESRCH:
            return Vanished(raw.pid)
        raise InternalError(f"cannot read the details of stop {status:#x}: errno {raw.error}")
    return _classify_stop(raw, (status >> 8) & 0xFF, status >> 16)


def _classify_stop(raw: calls.RawEvent, signo: int, event: int) -> Stop:
    if event == _EVENT_SECCOMP and raw.op == _INFO_SECCOMP:
        return SeccompStop(raw.pid, Call(raw.nr & 0xFFFF_FFFF, raw.args, raw.arch, raw.ip))
    if event == 0:
        if signo == SIGTRAP | 0x80:
            return SyscallExit(raw.pid, raw.rval) if raw.op == _INFO_EXIT else SyscallEntry(raw.pid)
        # SI_USER, SI_QUEUE, SI_TKILL and the like are <= 0: somebody's kill; above, the kernel's own.
        return SignalStop(raw.pid, signo, raw.sender if raw.code <= 0 else None, raw.code)
    if event in _TASK_EVENTS:
        return NewTask(raw.pid, raw.message, _TASK_EVENTS[event])
    if event == _EVENT_EXEC:
        return ExecStop(raw.pid, raw.message)
    if event == _EVENT_EXIT:
        return ExitStop(raw.pid)
    if event == _EVENT_STOP:
        return GroupStop(raw.pid, signo) if signo in STOP_SIGNALS else TrapStop(raw.pid)
    raise InternalError(f"unexpected ptrace stop {raw.status:#x} of task {raw.pid}")
