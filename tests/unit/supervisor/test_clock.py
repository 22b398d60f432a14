"""Deadlines of a run, in each of its phases."""

from __future__ import annotations

import pytest

from sandbox.supervisor.clock import DRAIN_NS, GRACE_NS, OUTPUT_NS, Clock

WALL = 100 * DRAIN_NS


@pytest.fixture
def clock() -> Clock:
    return Clock(WALL)


def test_the_wall_limit_comes_without_anything_else(clock: Clock) -> None:
    assert (clock.next_ns, clock.over(WALL - 1), clock.over(WALL)) == (WALL, "nothing", "wall")


def test_without_deadlines_there_is_none() -> None:
    assert (Clock().next_ns, Clock().patience_ns, Clock().over(1 << 62)) == (-1, -1, "nothing")


def test_the_first_deadline_is_next(clock: Clock) -> None:
    clock.update(5)
    assert (clock.next_ns, clock.over(5)) == (5, "meter")
    clock.start_grace(1)
    assert (clock.next_ns, clock.over(GRACE_NS + 1)) == (5, "grace")


def test_while_guests_die_nothing_but_their_end_counts(clock: Clock) -> None:
    clock.update(5)
    clock.start_drain(1)
    assert clock.next_ns == DRAIN_NS + 1
    assert (clock.over(DRAIN_NS), clock.over(DRAIN_NS + 1)) == ("nothing", "drain")


def test_output_of_a_run_that_ended_by_itself_has_the_time_of_the_run(clock: Clock) -> None:
    clock.start_drain(1)
    clock.start_output()
    assert (clock.next_ns, clock.over(WALL - 1), clock.over(WALL)) == (WALL, "nothing", "wall")


def test_output_of_a_run_without_a_limit_may_take_for_ever() -> None:
    clock = Clock()
    clock.start_drain(1)
    clock.start_output()
    assert (clock.next_ns, clock.patience_ns) == (-1, -1)


@pytest.mark.parametrize("guests_gone", [False, True])
def test_output_of_a_run_that_was_ended_has_a_moment(guests_gone: bool, clock: Clock) -> None:
    clock.start_drain(1)
    clock.hurry(1)
    if guests_gone:
        clock.start_output()
    assert (clock.next_ns, clock.over(OUTPUT_NS + 1)) == (OUTPUT_NS + 1, "output")
    clock.hurry(OUTPUT_NS)  # no second moment
    assert clock.next_ns == clock.patience_ns == OUTPUT_NS + 1


def test_what_was_given_up_is_waited_for_as_guests_are(clock: Clock) -> None:
    clock.start_drain(1)
    clock.hurry(1)
    clock.give_up_output(2)
    assert (clock.next_ns, clock.over(WALL)) == (DRAIN_NS + 2, "drain")
    assert clock.patience_ns == OUTPUT_NS + 1


def test_a_signal_ends_the_patience_of_a_run_that_went(clock: Clock) -> None:
    clock.start_grace(1)
    clock.start_drain(2)
    clock.start_output()
    assert (clock.patience_ns, clock.over(GRACE_NS + 1)) == (GRACE_NS + 1, "grace")


def test_the_end_of_output_leaves_only_ends_to_wait_for(clock: Clock) -> None:
    clock.start_drain(1)
    clock.start_output()
    clock.start_drain(WALL - 1)
    assert clock.over(WALL) == "nothing"
