"""Guards of the supervisor that no run comes to by itself: with tasks that are only told of."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox._kernel import calls
from sandbox._kernel.behalf import GuestRights
from sandbox.audit.sinks import Memory
from sandbox.audit.writer import AuditLog
from sandbox.errors import InternalError
from sandbox.outcome import Allow
from sandbox.policy.load import load
from sandbox.policy.model import Limits
from sandbox.supervisor import images, meter, view
from sandbox.supervisor.apply import Rest
from sandbox.supervisor.loop import Supervisor
from sandbox.supervisor.meter import Meter, Passed
from sandbox.supervisor.recorder import Recorder
from sandbox.supervisor.stops import Control, Exited, Killed, SyscallExit, TrapStop
from sandbox.supervisor.tracee import PathCall, Stopped, Task, Tasks
from sandbox.supervisor.vfork import Request
from sandbox.supervisor.view import StopView
from sandbox.syscalls.call import Call
from sandbox.syscalls.table import NUMBERS

MAIN, THREAD, STRANGER, PUMP = 1_000_001, 1_000_002, 1_000_003, 1_000_004
SIGINT, SIGKILL, SIGSYS = 2, 9, 31


class Runs(contextlib.nullcontext[Any]):
    """An image that may run (`sandbox.supervisor.images`)."""

    native = True
    device, inode = identity = (0, 0)

    def __enter__(self) -> Runs:
        return self


@pytest.fixture
def supervisor() -> Supervisor:
    """One that has a main guest of two threads."""
    made = Supervisor(load("observe"), Recorder(AuditLog([])), started_ns=0)
    made.main = made.shutdown.main = MAIN
    made.tasks.add(MAIN, MAIN, os.getpid())
    made.tasks.add(THREAD, MAIN, os.getpid())
    return made


def test_a_sigsys_delivered_before_an_execve_explains_no_death_after_it(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread got one and lived on, since another had just begun to catch it; that other made an execve."""
    monkeypatch.setattr(images, "inspect", lambda pid: Runs())
    supervisor.endings.sigsys_delivered(THREAD, MAIN)
    supervisor.on_exec(MAIN, MAIN)
    supervisor.on_end(Killed(THREAD, 9))
    supervisor.on_end(Killed(MAIN, SIGSYS))
    assert supervisor.endings.result().status == "violation"


def test_a_sigsys_that_was_survived_explains_no_death(supervisor: Supervisor) -> None:
    supervisor.endings.sigsys_delivered(THREAD, MAIN)
    supervisor.on_end(Exited(THREAD, 0))
    supervisor.on_end(Killed(MAIN, SIGSYS))
    assert supervisor.endings.result().status == "violation"


# ---- ends ----


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Signals, as (pid, number), which nobody gets."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(calls, "kill", lambda pid, signo: found.append((pid, signo)))
    return found


@pytest.mark.parametrize(
    ("terminal", "group", "expected"),
    [
        (True, 7, []),
        (True, 8, [(MAIN, SIGINT)]),
        (False, 7, [(MAIN, SIGINT)]),
        (True, None, [(MAIN, SIGINT)]),
    ],
)
def test_an_interrupt_that_the_guest_has_got_is_not_passed_on(
    terminal: bool,
    group: int | None,
    expected: list[tuple[int, int]],
    supervisor: Supervisor,
    sent: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The terminal sends it to its whole foreground group, which is ours; `group` is the guest's."""

    def group_of(pid: int) -> int:
        if group is None:
            raise ProcessLookupError
        return group

    monkeypatch.setattr(os, "getpgrp", lambda: 7)
    monkeypatch.setattr(os, "getpgid", group_of)
    supervisor.shutdown.on_control(Control(SIGINT, terminal))
    assert sent == expected
    assert not supervisor.shutdown.closing


def test_a_second_signal_kills_everything(supervisor: Supervisor, sent: list[tuple[int, int]]) -> None:
    """The process that copies output, too: it may be waiting for a slow reader."""
    supervisor.shutdown.pump = PUMP
    for _ in range(2):
        supervisor.shutdown.on_control(Control(15, terminal=False))
    assert sent == [(MAIN, 15), (MAIN, SIGKILL), (PUMP, SIGKILL)]
    assert supervisor.shutdown.closing


def test_a_signal_after_the_end_has_begun_is_not_passed_on(
    supervisor: Supervisor, sent: list[tuple[int, int]]
) -> None:
    supervisor.shutdown.close()
    sent.clear()
    supervisor.shutdown.on_control(Control(15, terminal=False))
    assert (MAIN, 15) not in sent


def test_a_task_that_stops_after_the_end_has_begun_is_killed(
    supervisor: Supervisor, sent: list[tuple[int, int]]
) -> None:
    supervisor.shutdown.close()
    sent.clear()
    assert isinstance(supervisor._dispatch(TrapStop(STRANGER)), Rest)
    assert sent == [(STRANGER, SIGKILL)]


def test_only_the_first_limit_is_told(sent: list[tuple[int, int]]) -> None:
    log = Memory()
    told = Supervisor(load("observe"), Recorder(AuditLog([log])), started_ns=0)
    told.tasks.add(MAIN, MAIN, 0)
    told.shutdown.passed(Passed("cpu", 1, "first"))
    told.shutdown.passed(Passed("wall", 1, "second"))
    assert [one["which"] for one in log.records] == ["cpu"]
    assert sent == [(MAIN, SIGKILL)]


def test_a_limit_is_not_told_of_a_run_that_a_violation_ends(sent: list[tuple[int, int]]) -> None:
    log = Memory()
    told = Supervisor(load("observe"), Recorder(AuditLog([log])), started_ns=0)
    told.endings.violation("killed by rule r", "r")
    told.shutdown.passed(Passed("cpu", 1, "a limit"))
    assert told.shutdown.closing
    assert log.records == []


@pytest.mark.parametrize(
    ("end", "ends"),
    [(Exited(PUMP, calls.PUMP_PASSED), True), (Exited(PUMP, 0), False)],
)
def test_the_run_ends_if_the_limit_on_output_is_passed(
    end: Exited | Killed, ends: bool, supervisor: Supervisor, sent: list[tuple[int, int]]
) -> None:
    supervisor.shutdown.pump = PUMP
    assert isinstance(supervisor.on_end(end), Rest)
    assert supervisor.shutdown.closing == ends
    assert sent == ([(MAIN, SIGKILL)] if ends else [])
    assert supervisor.shutdown.pump == 0


@pytest.mark.parametrize(
    ("memory", "out_of_memory", "ends"), [(100, True, True), (100, False, False), (None, True, False)]
)
def test_a_kill_is_the_limit_on_memory_if_the_kernel_says_so(
    memory: int | None, out_of_memory: bool, ends: bool, sent: list[tuple[int, int]]
) -> None:
    policy = load("observe")._replace(limits=Limits(memory=memory))
    told = Supervisor(policy, Recorder(AuditLog([])), started_ns=0, out_of_memory=lambda: out_of_memory)
    told.tasks.add(THREAD, THREAD, MAIN)
    told.on_end(Killed(THREAD, SIGKILL))
    assert told.shutdown.closing == ends


def test_the_run_is_not_over_while_anything_of_it_is_left(
    sent: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a child from before the run, which is nothing of it, wait(2) does not tell when none is left."""
    left = {STRANGER}
    monkeypatch.setattr(calls, "children", lambda: left)
    over = Supervisor(load("observe"), Recorder(AuditLog([])), started_ns=0, foreign={STRANGER}).shutdown
    assert not over.is_over()
    over.close()
    left.add(THREAD)
    assert not over.is_over()
    left.discard(THREAD)
    over.pump = PUMP
    assert not over.is_over()
    over.pump = 0
    over._tasks.add(THREAD, THREAD, MAIN)
    assert not over.is_over()
    over._tasks.remove(THREAD)
    assert over.is_over()


def test_the_end_of_the_main_guest_ends_the_others(
    supervisor: Supervisor, sent: list[tuple[int, int]]
) -> None:
    supervisor.tasks.remove(THREAD)
    supervisor.tasks.add(STRANGER, STRANGER, MAIN)
    supervisor.on_end(Exited(MAIN, 0))
    assert sent == [(STRANGER, SIGKILL)]


def test_a_stop_of_a_task_that_nobody_knows_is_an_error(supervisor: Supervisor) -> None:
    with pytest.raises(InternalError, match="before it was born"):
        supervisor._dispatch(SyscallExit(STRANGER, 0))


# ---- views ----


def view_with(tasks: Tasks, making: int = 0) -> StopView:
    rights = GuestRights(None)
    return StopView(Stopped(Task(MAIN, MAIN, 0)), tasks, lambda: making, rights, None)


def view_of(*pids: int) -> StopView:
    tasks = Tasks()
    for pid in pids:
        tasks.add(pid, pid, 0)
    return view_with(tasks)


def test_the_callers_process_group_is_no_guest_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even if it had a guest's number."""
    leader = os.getpgrp()
    monkeypatch.setattr(view, "_group_of", lambda pid: leader)  # who made the group may be gone
    seen = view_of(leader)
    assert seen.guests_in_group(leader) == {leader}
    assert not seen.is_guest_group(leader)


@pytest.fixture
def child() -> Iterator[int]:
    """A process in a group of its own."""
    pid = os.fork()
    if pid == 0:
        os.read(os.pipe()[0], 1)
    os.setpgid(pid, pid)
    yield pid
    os.kill(pid, 9)
    os.waitpid(pid, 0)


def test_a_group_is_a_guest_group_if_a_guest_made_it_and_is_there(child: int) -> None:
    assert view_of(child).is_guest_group(child)
    assert not view_of(os.getpid()).is_guest_group(child)


def test_a_number_used_again_is_no_guest_group(child: int) -> None:
    seen = view_of(os.getpid())
    seen._tasks.ended.append(child)
    assert not seen.is_guest_group(child)


@pytest.mark.parametrize(
    ("making", "tracer", "expected"),
    [(1, "we", True), (0, "we", False), (1, "another", False), (1, "nobody", False)],
)
def test_a_task_that_has_not_stopped_yet_is_a_guest_if_we_trace_it(
    making: int, tracer: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracers = {"we": os.getpid(), "another": 1, "nobody": 0}
    monkeypatch.setattr(view, "tracer_of", lambda pid: tracers[tracer])
    assert view_with(Tasks(), making).is_guest(STRANGER) == expected


@pytest.fixture
def zombie() -> Iterator[tuple[int, int]]:
    """A process that has ended, and its parent, which does not wait for it."""
    source, end = os.pipe()
    parent = os.fork()
    if parent == 0:
        if (child := os.fork()) == 0:
            os._exit(0)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        os.write(end, b"%d" % child)
        os.read(os.pipe()[0], 1)
    yield int(os.read(source, 20)), parent
    os.kill(parent, SIGKILL)
    os.waitpid(parent, 0)
    os.close(source)
    os.close(end)


def test_a_guest_that_nobody_has_waited_for_is_a_guest(zombie: tuple[int, int]) -> None:
    """If its parent is one; a number used again is not."""
    pid, parent = zombie
    seen = view_of(parent)
    assert not seen.is_guest(pid)
    seen._tasks.ended.append(pid)
    assert seen.is_guest(pid)
    seen._tasks.remove(parent)
    assert not seen.is_guest(pid)


def test_a_number_used_again_is_no_guest(child: int) -> None:
    seen = view_of(os.getpid())
    seen._tasks.ended.append(child)
    assert not seen.is_guest(child)


def test_memory_of_a_held_parent_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "memory_bytes", lambda pid: 60)
    looks = Meter(Limits(memory=100))
    tasks = [Task(MAIN, MAIN, 0), Task(THREAD, THREAD, MAIN)]
    assert looks.look(tasks, {MAIN}) is None
    assert looks.look(tasks, set()) is not None


def test_memory_of_threads_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "memory_bytes", lambda pid: 60)
    assert Meter(Limits(memory=100)).look([Task(MAIN, MAIN, 0), Task(THREAD, MAIN, 0)], set()) is None


def test_memory_of_a_process_whose_first_thread_has_ended_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "memory_bytes", {MAIN: 0, THREAD: 101}.__getitem__)
    assert Meter(Limits(memory=100)).look([Task(MAIN, MAIN, 0), Task(THREAD, MAIN, 0)], set()) is not None


# ---- a thread's execve ----


@pytest.fixture
def execed(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """A thread has made an execve, while the first thread, whose id it has got, was making a task."""
    monkeypatch.setattr(images, "inspect", lambda pid: Runs())
    births = supervisor.births
    births._machine.called(MAIN, Request(0x11, 0, "none", 0, 0))
    births._masks[MAIN] = 0xFF
    assert births.making() == 1
    supervisor.tasks.add(STRANGER, MAIN, os.getpid())
    supervisor.on_exec(MAIN, THREAD)
    return supervisor


def test_a_thread_that_makes_an_execve_is_its_process(execed: Supervisor) -> None:
    assert [task.tid for task in execed.tasks.all()] == [MAIN]


def test_nothing_the_first_thread_was_doing_is_waited_for(execed: Supervisor) -> None:
    assert execed.births.making() == 0


def test_no_signal_mask_of_before_an_execve_is_put_back(execed: Supervisor) -> None:
    assert MAIN not in execed.births._masks


def test_nothing_of_the_former_image_is_put_back_or_told_of_the_new(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "inspect", lambda pid: Runs())
    task = supervisor.tasks.get(MAIN)
    assert task is not None
    task.restore = {"rdi": 1}
    task.path_call = PathCall(Call(NUMBERS["open"], (0, 0, 0, 0, 0, 0)), Allow("calls.allow"), {})
    supervisor.on_exec(MAIN, MAIN)
    left: tuple[object, object] = (task.restore, task.path_call)
    assert left == ({}, None)


VFORK_FLAGS = 0x4111  # CLONE_VM|CLONE_VFORK|SIGCHLD


@pytest.mark.parametrize(
    ("name", "flags", "changes"),
    [
        ("fork", 0, ()),
        ("vfork", 0, ()),
        ("clone", VFORK_FLAGS, ((0, 0x111),)),
        ("clone", 0x111, ()),
        ("read", 0, None),
    ],
)
def test_a_call_without_flags_keeps_its_registers(
    name: str,
    flags: int,
    changes: tuple[tuple[int, int], ...] | None,
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CLONE_VFORK can be taken out of clone's flags only; vfork's first register is the guest's own."""
    monkeypatch.setattr(Stopped, "block_signals", lambda stopped: 0)
    call = Call(NUMBERS[name], (flags, 0, 0, 0, 0, 0))
    task = supervisor.tasks.get(MAIN)
    assert task is not None
    assert supervisor.births.on_call(Stopped(task), call) == changes


def test_a_child_that_ended_before_it_was_announced_is_not_waited_for(supervisor: Supervisor) -> None:
    machine = supervisor.births._machine
    machine.called(MAIN, Request(0x11, 0, "none", 0, 0))
    supervisor.on_end(Killed(STRANGER, SIGKILL))
    machine.announced(MAIN, STRANGER)
    assert supervisor.births.making() == 0
