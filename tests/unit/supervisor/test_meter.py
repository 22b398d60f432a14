"""How often a run is looked at, by what is left of its memory limit."""

from __future__ import annotations

import pytest

from sandbox.policy.model import Limits
from sandbox.supervisor.meter import FASTEST, INTERVAL_NS, SHORTEST_NS, Meter, wait_ns


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (None, INTERVAL_NS),
        (1 << 40, INTERVAL_NS),
        (FASTEST // 64, 15_625_000),
        (FASTEST // 1000, SHORTEST_NS),
        (0, SHORTEST_NS),
        (-1, SHORTEST_NS),
    ],
)
def test_the_nearer_the_limit_the_sooner(room: int | None, expected: int) -> None:
    assert wait_ns(room) == expected


def test_without_a_limit_nothing_is_looked_at() -> None:
    assert Meter(Limits(wall=1.0)).due_ns == -1
    assert Meter(Limits(memory=1)).due_ns > 0
    assert Meter(Limits(cpu=1.0)).due_ns > 0
