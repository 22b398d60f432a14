"""Until when the loop may wait, and what is over when it waited that long. CLOCK_MONOTONIC ns; pure."""

from __future__ import annotations

from typing import Literal

GRACE_NS = 2_000_000_000
DRAIN_NS = 10_000_000_000

What = Literal["wall", "grace", "drain", "meter", "nothing"]


class Clock:
    """Deadlines of a run: the wall limit, the grace after a control signal, the time for all to die."""

    def __init__(self, wall_ns: int = -1) -> None:
        self._wall_ns = wall_ns
        self._grace_ns = -1
        self._drain_ns = -1
        self._closing = False
        self.next_ns = -1
        self.meter_ns = -1
        self.update()

    def update(self, meter_ns: int = -1) -> None:
        """Set when the meter is due (-1: never), and `next_ns`, the first deadline of all (-1: none)."""
        self.meter_ns = meter_ns
        running = (self._wall_ns, self._grace_ns, self.meter_ns)
        times = (self._drain_ns,) if self._closing else running
        self.next_ns = min((one for one in times if one >= 0), default=-1)

    def start_grace(self, now_ns: int) -> None:
        """A control signal was passed on."""
        self._grace_ns = now_ns + GRACE_NS
        self.update(self.meter_ns)

    def start_drain(self, now_ns: int) -> None:
        """Everything was killed: nothing but its end is waited for."""
        self._closing, self._drain_ns = True, now_ns + DRAIN_NS
        self.update()

    def stop_drain(self) -> None:
        """Every guest is gone; only output is still on its way, and may take its time."""
        self._drain_ns = -1
        self.update()

    def over(self, now_ns: int) -> What:
        """What is over by now, the gravest first."""
        times: tuple[tuple[What, int], ...] = (("drain", self._drain_ns),)
        if not self._closing:
            times = (("grace", self._grace_ns), ("wall", self._wall_ns), ("meter", self.meter_ns))
        for what, at in times:
            if 0 <= at <= now_ns:
                return what
        return "nothing"
