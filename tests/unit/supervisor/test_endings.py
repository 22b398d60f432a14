"""Whose SIGSYS a process died of: one that was delivered to it, or the filter's own for a foreign ABI."""

from __future__ import annotations

from sandbox.supervisor.endings import SIGSYS, Endings
from sandbox.supervisor.stops import Killed

LEADER, SIBLING, OTHER = 50, 51, 60


def ended(endings: Endings) -> str:
    stop = Killed(LEADER, SIGSYS)
    endings.process_ended(LEADER, stop)
    endings.main_ended(stop)
    return endings.result().status


def test_nobodys_sigsys_is_a_foreign_abi() -> None:
    assert ended(Endings()) == "violation"


def test_a_stop_of_a_sibling_says_nothing_about_the_task_that_got_it() -> None:
    endings = Endings()
    endings.sigsys_delivered(LEADER, LEADER)
    endings.lives_on(SIBLING)
    assert ended(endings) == "signaled"


def test_delivered_to_a_sibling() -> None:
    endings = Endings()
    endings.sigsys_delivered(SIBLING, LEADER)
    assert ended(endings) == "signaled"


def test_a_task_that_stops_again_has_survived_it() -> None:
    endings = Endings()
    endings.sigsys_delivered(SIBLING, LEADER)
    endings.lives_on(SIBLING)
    assert ended(endings) == "violation"


def test_an_execve_forgets_every_former_task() -> None:
    endings = Endings()
    endings.sigsys_delivered(SIBLING, LEADER)
    endings.sigsys_delivered(OTHER, OTHER)
    endings.forget_sigsys(LEADER)
    assert ended(endings) == "violation"


def test_another_process_is_another_matter() -> None:
    endings = Endings()
    endings.sigsys_delivered(OTHER, OTHER)
    assert ended(endings) == "violation"
