"""The one place that acts on a guest because of a verdict."""

from __future__ import annotations

import contextlib
import errno
from typing import NamedTuple

from sandbox._kernel import calls
from sandbox.outcome import Allow, Kill, Refuse, Return, Rewrite, Verdict
from sandbox.supervisor.tracee import Stopped
from sandbox.syscalls.call import MASK64, X32_BIT, Call


class Resume(NamedTuple):
    """The loop's next step: let this task go on, then wait."""

    pid: int
    request: int = calls.PTRACE_CONT
    signo: int = 0


class Answer(NamedTuple):
    """The loop's next step: skip the task's call with this result, then wait."""

    pid: int
    value: int


class Rest(NamedTuple):
    """The loop's next step: only wait; the task stays in its stop or is going already."""


Next = Resume | Answer | Rest


def apply(stopped: Stopped, verdict: Verdict, call: Call) -> Next:
    """Carry out a verdict at a seccomp stop. Raises ProcessLookupError if the task vanished."""
    match verdict:
        case Allow(watch=watch):
            return Resume(stopped.spend(), calls.PTRACE_SYSCALL if watch else calls.PTRACE_CONT)
        case Refuse(errno=number):
            return Answer(stopped.spend(), -number)
        case Return(value=value):
            seen = _store(stopped, verdict, value)
            _send(verdict.signals)
            return Answer(stopped.spend(), seen)
        case Rewrite(args=changes):
            return rewrite(stopped, call, changes)
        case Kill():
            return kill(stopped)


def _store(stopped: Stopped, verdict: Return, value: int) -> int:
    try:
        for address, data in verdict.writes:
            stopped.write(address, data)
    except ProcessLookupError:
        raise
    except OSError as error:
        return -(error.errno or errno.EFAULT)
    return value


def _send(signals: tuple[tuple[int, int], ...]) -> None:
    """To live tracees, so to nobody else."""
    for pid, signo in signals:
        with contextlib.suppress(ProcessLookupError):
            calls.kill(pid, signo)


def rewrite(stopped: Stopped, call: Call, changes: tuple[tuple[int, int], ...]) -> Next:
    """Run the call with other arguments. PTRACE_SYSCALL shows its end, where the guest's own registers are
    put back: a restarted call must start with them, and libc counts on them."""
    for index, value in changes:
        name = calls.ARGUMENT_REGISTERS[index]
        stopped.set_register(name, value & MASK64)
        stopped.task.restore[name] = call.args[index]
    return Resume(stopped.spend(), calls.PTRACE_SYSCALL)


def restore(stopped: Stopped) -> None:
    """Put argument registers back as the guest had them."""
    for name, value in stopped.task.restore.items():
        stopped.set_register(name, value)
    stopped.task.restore = {}


def kill(stopped: Stopped) -> Next:
    """Let the kernel end the process with SIGSYS: the filter is asked again after the number was changed
    (Linux 4.8), and every filter of ours kills on an x32 number. No handler of the guest's can catch it."""
    stopped.set_register("orig_rax", X32_BIT)
    return Resume(stopped.spend())
