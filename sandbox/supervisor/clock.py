"""Until when the loop may wait, and what is over when it waited that long. CLOCK_MONOTONIC ns; pure."""

from __future__ import annotations

from typing import Literal

GRACE_NS = 2_000_000_000
DRAIN_NS = 10_000_000_000
OUTPUT_NS = 500_000_000

What = Literal["wall", "grace", "drain", "output", "meter", "nothing"]


class Clock:
    """Deadlines of a run: the wall limit, the grace after a control signal, the time for all to die, and for
    what the guests wrote to be read."""

    def __init__(self, wall_ns: int = -1) -> None:
        self._wall_ns = wall_ns
        self._grace_ns = -1
        self._drain_ns = -1
        self._output_ns = -1
        self._closing = False
        self._draining = False
        self._given_up = False
        self.next_ns = -1
        self.meter_ns = -1
        self.update()

    def update(self, meter_ns: int = -1) -> None:
        """Set when the meter is due (-1: never), and `next_ns`, the first deadline of all (-1: none)."""
        self.meter_ns = meter_ns
        self.next_ns = min((at for _, at in self._deadlines() if at >= 0), default=-1)

    def _deadlines(self) -> tuple[tuple[What, int], ...]:
        """Those that count now, the gravest first."""
        running: tuple[tuple[What, int], ...] = (("grace", self._grace_ns), ("wall", self._wall_ns))
        if not self._closing:
            return (*running, ("meter", self.meter_ns))
        if self._given_up:
            return (("drain", self._drain_ns),)
        if self._output_ns >= 0:
            return ("drain", self._drain_ns), ("output", self._output_ns)
        return running if self._draining else (("drain", self._drain_ns),)

    def start_grace(self, now_ns: int) -> None:
        """A control signal was passed on."""
        self._grace_ns = now_ns + GRACE_NS
        self.update(self.meter_ns)

    def start_drain(self, now_ns: int) -> None:
        """Everything was killed: nothing but its end is waited for."""
        self._closing, self._draining, self._drain_ns = True, False, now_ns + DRAIN_NS
        self.update()

    def start_output(self) -> None:
        """Every guest is gone; only output is still on its way. It may take its time, which is the run's."""
        self._draining, self._drain_ns = True, -1
        self.update()

    def hurry(self, now_ns: int) -> None:
        """The run is to end now: output that is still on its way has a moment left."""
        if self._output_ns < 0:
            self._output_ns = now_ns + OUTPUT_NS
            self.update()

    def give_up_output(self, now_ns: int) -> None:
        """What carries the output was killed, too: only its end is waited for."""
        self._given_up, self._drain_ns = True, now_ns + DRAIN_NS
        self.update()

    @property
    def patience_ns(self) -> int:
        """Until when who reads what we write may keep us waiting; -1: for ever."""
        times = (self._wall_ns, self._grace_ns, self._output_ns)
        return min((one for one in times if one >= 0), default=-1)

    def over(self, now_ns: int) -> What:
        """What is over by now, the gravest first."""
        return next((what for what, at in self._deadlines() if 0 <= at <= now_ns), "nothing")
