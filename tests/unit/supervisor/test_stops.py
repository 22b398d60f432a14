"""Raw wait statuses as the kernel composes them (ptrace(2)), and the stop each must become."""

from __future__ import annotations

import pytest

from sandbox._kernel.calls import DEADLINE, NONE, SIGNAL, STATUS, RawEvent
from sandbox.errors import InternalError
from sandbox.supervisor.stops import (
    Control,
    Deadline,
    ExecStop,
    Exited,
    ExitStop,
    GroupStop,
    Killed,
    NewTask,
    NoneLeft,
    SeccompStop,
    SignalStop,
    Stop,
    SyscallEntry,
    SyscallExit,
    TrapStop,
    Vanished,
    classify,
)
from sandbox.syscalls.call import AUDIT_ARCH_X86_64, Call

SIGTRAP, SIGSTOP, SIGTTOU, SIGUSR1, SIGSEGV, SIGSYS = 5, 19, 22, 10, 11, 31
ARGS = (0x4111, 0x1000, 2, 3, 4, 5)


def stopped(signo: int, event: int = 0, **facts: object) -> RawEvent:
    status = event << 16 | signo << 8 | 0x7F
    return RawEvent(STATUS, 7, status)._replace(**facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raw", "stop"),
    [
        (RawEvent(NONE), NoneLeft()),
        (RawEvent(DEADLINE), Deadline()),
        (RawEvent(SIGNAL, signo=2, code=0x80), Control(2, terminal=True)),
        (RawEvent(SIGNAL, signo=15, code=0, sender=9), Control(15, terminal=False)),
        (RawEvent(STATUS, 7, 0), Exited(7, 0)),
        (RawEvent(STATUS, 7, 0xFF00), Exited(7, 255)),
        (RawEvent(STATUS, 7, 3 << 8, cpu_us=5, maxrss_kb=6), Exited(7, 3, 5, 6)),
        (RawEvent(STATUS, 7, 9), Killed(7, 9)),
        (RawEvent(STATUS, 7, SIGSEGV | 0x80), Killed(7, SIGSEGV)),
        (RawEvent(STATUS, 7, 64), Killed(7, 64)),
        (stopped(SIGTRAP, 1, message=8), NewTask(7, 8, "fork")),
        (stopped(SIGTRAP, 2, message=8), NewTask(7, 8, "vfork")),
        (stopped(SIGTRAP, 3, message=8), NewTask(7, 8, "clone")),
        (stopped(SIGTRAP, 4, message=6), ExecStop(7, 6)),
        (stopped(SIGTRAP, 6, message=9), ExitStop(7)),
        (stopped(SIGTRAP, 128), TrapStop(7)),
        (stopped(SIGSTOP, 128), GroupStop(7, SIGSTOP)),
        (stopped(SIGTTOU, 128), GroupStop(7, SIGTTOU)),
        (stopped(SIGTRAP | 0x80, op=1), SyscallEntry(7)),
        (stopped(SIGTRAP | 0x80, op=2, rval=-513), SyscallExit(7, -513)),
        (stopped(SIGUSR1, code=0, sender=4), SignalStop(7, SIGUSR1, 4, 0)),
        (stopped(SIGUSR1, code=-6, sender=4), SignalStop(7, SIGUSR1, 4, -6)),
        (stopped(SIGSEGV, code=1, sender=4), SignalStop(7, SIGSEGV, None, 1)),
        (stopped(SIGUSR1, code=0x80, sender=0), SignalStop(7, SIGUSR1, None, 0x80)),
        # A SIGTRAP the guest sent itself carries no event: it is a signal like any other.
        (stopped(SIGTRAP, code=-6, sender=7), SignalStop(7, SIGTRAP, 7, -6)),
        (stopped(SIGSTOP, code=0, sender=7), SignalStop(7, SIGSTOP, 7, 0)),
        (stopped(SIGTRAP, 7, error=3), Vanished(7)),
        (stopped(SIGTRAP, 1, error=3, message=0xDEAD), Vanished(7)),
        (stopped(SIGUSR1, error=3), Vanished(7)),
    ],
)
def test_status_becomes_stop(raw: RawEvent, stop: Stop) -> None:
    found = classify(raw)
    assert type(found) is type(stop)
    assert found == stop


@pytest.mark.parametrize(
    ("nr", "seen"),
    [(56, 56), (0xDEAD_0000_0038, 56), (0xFFFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF), (0xFFFF_FFFF, 0xFFFF_FFFF)],
)
def test_call_number_is_what_the_kernel_reads(nr: int, seen: int) -> None:
    raw = stopped(SIGTRAP, 7, op=3, arch=AUDIT_ARCH_X86_64, nr=nr, args=ARGS, ip=0x401000)
    assert classify(raw) == SeccompStop(7, Call(seen, ARGS, AUDIT_ARCH_X86_64, 0x401000))


@pytest.mark.parametrize(
    "raw",
    [
        stopped(SIGTRAP, 5),
        stopped(SIGTRAP, 9),
        stopped(SIGTRAP, 7, op=2),
        stopped(SIGTRAP, 7, error=5),
        stopped(SIGTRAP | 0x80, error=14),
    ],
    ids=lambda raw: f"{raw.status:#x}",
)
def test_unexpected_stop_is_refused(raw: RawEvent) -> None:
    with pytest.raises(InternalError):
        classify(raw)
