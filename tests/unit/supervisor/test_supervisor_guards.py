"""Guards of the supervisor that no run comes to by itself: with tasks that are only told of."""

from __future__ import annotations

import os
from typing import Any

import pytest

from sandbox.policy.load import load
from sandbox.policy.model import Limits
from sandbox.supervisor import images, meter
from sandbox.supervisor.loop import Supervisor
from sandbox.supervisor.meter import Meter
from sandbox.supervisor.recorder import Recorder
from sandbox.supervisor.stops import Exited, Killed
from sandbox.supervisor.tracee import Stopped, Task, Tasks
from sandbox.supervisor.view import StopView

MAIN, THREAD, SIGSYS = 1_000_001, 1_000_002, 31


class NoLog:
    """A log that nobody reads."""

    active = False
    size = 0

    def emit(self, event: str, /, **fields: Any) -> None:
        raise AssertionError(event)


@pytest.fixture
def supervisor() -> Supervisor:
    """One that has a main guest of two threads."""
    made = Supervisor(load("observe"), Recorder(NoLog()), started_ns=0)
    made.main = made.shutdown.main = MAIN
    made.tasks.add(MAIN, MAIN, os.getpid())
    made.tasks.add(THREAD, MAIN, os.getpid())
    return made


def test_a_sigsys_delivered_before_an_execve_explains_no_death_after_it(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread got one and lived on, since another had just begun to catch it; that other's execve ended it."""
    monkeypatch.setattr(images, "inspect", lambda pid: images.Image("", 0, 0, native=True))
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


def view_of(*pids: int) -> StopView:
    tasks = Tasks()
    for pid in pids:
        tasks.add(pid, pid, 0)
    return StopView(Stopped(Task(pids[0], pids[0], 0)), tasks, lambda: 0)


def test_the_callers_process_group_is_no_guest_group() -> None:
    """Not even if it had a guest's number."""
    leader = os.getpgrp()
    view = view_of(leader)
    assert view.guests_in_group(leader) == {leader}
    assert not view.is_guest_group(leader)


def test_a_group_that_no_guest_made_is_no_guest_group() -> None:
    child = os.fork()
    if child == 0:
        os.read(os.pipe()[0], 1)
    try:
        os.setpgid(child, child)
        assert view_of(child).is_guest_group(child)
        assert not view_of(os.getpid()).is_guest_group(child)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


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
