"""The end of a run: limits that are passed, control signals, and killing everything."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

from sandbox._kernel import calls
from sandbox.errors import InternalError
from sandbox.policy.model import Limits
from sandbox.supervisor.clock import GRACE_NS, Clock
from sandbox.supervisor.endings import Endings
from sandbox.supervisor.meter import Meter, Passed, memory_passed
from sandbox.supervisor.recorder import Recorder
from sandbox.supervisor.stops import Control, Exited, Killed
from sandbox.supervisor.tracee import Tasks
from sandbox.syscalls.flags import signal_name

SIGKILL = 9
GRACE_S = GRACE_NS // 1_000_000_000


class Shutdown:
    """Decides when a run is over and makes it so. `closing` is True once everything was killed."""

    def __init__(
        self, limits: Limits, tasks: Tasks, recorder: Recorder, *, started_ns: int, foreign: set[int],
        out_of_memory: Callable[[], bool], memory_kept: bool,
    ) -> None:  # fmt: skip
        """`foreign`: children this process had before the run; `out_of_memory`: whether the kernel has killed
        guests at the limit on memory; `memory_kept`: it keeps all of that limit."""
        self._limits = limits
        self._tasks = tasks
        self._recorder = recorder
        self._controls: list[str] = []
        self.endings = Endings()
        # The two count differently: pages shared since a fork are one to the kernel, and to us one in each.
        self.meter = Meter(limits._replace(memory=None) if memory_kept else limits)
        wall = limits.wall
        self.clock = Clock(-1 if wall is None else started_ns + int(wall * 1e9))
        self.clock.update(self.meter.due_ns)
        self.main = 0
        self.pump = 0
        self._foreign = foreign
        self._out_of_memory = out_of_memory
        self.closing = False
        self._gave_up = False

    def on_deadline(self, sharing: set[int]) -> None:
        """Something the clock waits for is over. `sharing`: processes whose memory is their child's."""
        match self.clock.over(time.monotonic_ns()):
            case "drain":
                raise InternalError("guests did not die within 10 s of SIGKILL")
            case "output":
                self._give_up_output()
            case "wall":
                wall = self._limits.wall or 0.0
                self._end_by(Passed("wall", wall, f"wall-clock limit of {wall:g} s"))
            case "grace":
                self.endings.forced(f"{GRACE_S} s after {self._controls[0]}")
                self.end_now()
            case "meter":
                if found := self._look(sharing):
                    self.passed(found)
            case "nothing":
                pass

    def on_log_full(self) -> None:
        """The audit log has grown past its limit."""
        limit = self._limits.audit_size or 0
        self.passed(Passed("audit-size", limit, f"audit log limit of {limit} bytes"))

    def passed(self, limit: Passed) -> None:
        """A limit was passed: record it and end the run."""
        if not self.closing:
            self._end_by(limit)

    def _end_by(self, limit: Passed) -> None:
        self._tell(limit)
        self.end_now()

    def _tell(self, limit: Passed) -> None:
        if self.endings.limit(f"limits.{limit.which}", limit.text):
            self._recorder.limit(limit.which, limit.value)

    def on_kill(self) -> None:
        """A guest died of SIGKILL, and not by us: was it the kernel, for the limit on memory?"""
        if not self.closing and self._limits.memory is not None and self._out_of_memory():
            self.passed(memory_passed(self._limits.memory))

    def on_control(self, stop: Control) -> None:
        """Ctrl-C, SIGTERM, SIGHUP or SIGQUIT: first to the main guest; the second one ends everything."""
        self._controls.append(signal_name(stop.signo))
        if len(self._controls) > 1:
            self.endings.forced(f"at a second signal, {self._controls[-1]}")
            self.end_now()
            self._give_up_output()
        elif self.closing:
            self.endings.forced(f"at {self._controls[0]}")
            self.end_now()
        else:
            self.clock.start_grace(time.monotonic_ns())
            # The terminal sent it to the whole foreground group; the guest has its own already.
            if not (stop.terminal and self._shares_group()):
                self.send(self.main, stop.signo)

    def _shares_group(self) -> bool:
        try:
            return os.getpgid(self.main) == os.getpgrp()
        except ProcessLookupError:
            return False

    def on_pump_end(self, stop: Exited | Killed) -> None:
        """The output pump is gone: everything was written, or nobody reads, or the limit was passed."""
        self.pump = 0
        if isinstance(stop, Exited) and stop.code == calls.PUMP_PASSED:
            limit = self._limits.output or 0
            # The guest may have died of the broken pipe before.
            self._end_by(Passed("output", limit, f"output limit of {limit} bytes"))
        elif self._gave_up and isinstance(stop, Killed):
            self.endings.output_cut()
        elif isinstance(stop, Killed) or stop.code:
            raise InternalError("the process that counts output could not begin, or was killed")
        if self.closing:
            self.clock.start_drain(time.monotonic_ns())

    def close(self) -> None:
        """Kill every guest. From here on only ends are waited for, and output that is still on its way."""
        if not self.closing:
            self.closing = True
            self.clock.start_drain(time.monotonic_ns())
        for group in self._tasks.groups():
            self.send(group, SIGKILL)
        self.check_drained()

    def end_now(self) -> None:
        """`close`, and whoever reads the output, or the log, keeps the run up for a moment at most."""
        self.close()
        self.clock.hurry(time.monotonic_ns())

    def _give_up_output(self) -> None:
        """Nobody reads what the pump has to write: it is killed."""
        if self.pump and not self._gave_up:
            self._gave_up = True
            self.send(self.pump, SIGKILL)
        self.clock.give_up_output(time.monotonic_ns())

    def is_given_up(self, sharing: set[int]) -> bool:
        """Asked while the log's reader keeps the run waiting: whether a deadline has passed, or somebody
        wants an end. `sharing` is as for `on_deadline`."""
        now = time.monotonic_ns()
        if 0 <= self.clock.patience_ns <= now or calls.control_pending():
            return True
        if self.closing:
            self.clock.start_drain(now)  # what has ended meanwhile could not be waited for
            return False
        return 0 <= self.clock.meter_ns <= now and self._look(sharing) is not None

    def _look(self, sharing: set[int]) -> Passed | None:
        found = self.meter.look(self._tasks.all(), sharing)
        self.clock.update(self.meter.due_ns)
        return found

    def is_over(self) -> bool:
        """Everything was killed and nothing of the run is left: no task, no pump, no orphan not seen yet.

        wait(2) alone cannot tell: it counts children that were ours before the run, too.
        """
        if not self.closing or len(self._tasks) or self.pump or not self._foreign:
            return False
        return calls.children() <= self._foreign

    def check_drained(self) -> None:
        """With no guest left, output that is still on its way may take its time, while the run has any."""
        if self.closing and self.pump and not len(self._tasks):
            self.clock.start_output()

    def _gone(self, pid: int) -> None:
        self._tasks.remove(pid)
        if pid == self.pump:
            self.pump = 0

    def send(self, pid: int, signo: int) -> None:
        """Signal a process that was not reaped, so its id cannot have been given to another."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            calls.kill(pid, signo)

    def abandon(self) -> None:
        """After an error: kill everything and wait until it is gone; EXITKILL takes what is left."""
        self.end_now()
        with contextlib.suppress(OSError):
            while not self.is_over() and (raw := calls.wait(self.clock.next_ns)).kind != calls.NONE:
                if raw.kind == calls.SIGNAL or self._is_time_for_output(raw):
                    self._give_up_output()
                elif raw.kind == calls.DEADLINE:
                    return
                elif raw.status & 0xFF == 0x7F:
                    self.send(raw.pid, SIGKILL)
                    with contextlib.suppress(ProcessLookupError):
                        calls.resume(raw.pid)  # an exit stop ends by nothing else
                else:
                    self._gone(raw.pid)

    def _is_time_for_output(self, raw: calls.RawEvent) -> bool:
        return raw.kind == calls.DEADLINE and self.clock.over(time.monotonic_ns()) == "output"
