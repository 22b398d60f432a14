"""What a run's end is called: whose SIGSYS a process died of, and output that nobody read."""

from __future__ import annotations

from sandbox.supervisor.endings import SIGSYS, Endings
from sandbox.supervisor.stops import Exited, Killed

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


def test_output_that_was_given_up_is_no_good_end() -> None:
    endings = Endings()
    endings.main_ended(Exited(7, 0))
    endings.forced("at SIGTERM")
    endings.output_cut()
    ending = endings.result()
    assert (ending.status, ending.signal, ending.exit_code, ending.forced) == (
        "signaled",
        "SIGKILL",
        None,
        True,
    )
    assert ending.reason == "exit status 0, but its output was not read, and was given up at SIGTERM"


def test_a_limit_tells_more_than_output_that_was_given_up() -> None:
    endings = Endings()
    endings.main_ended(Exited(7, 0))
    endings.limit("limits.wall", "wall-clock limit of 1 s")
    endings.output_cut()
    assert (endings.result().status, endings.result().exit_code) == ("limit", 0)
