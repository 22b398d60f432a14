"""How a run ends: what happened to the main guest, and what the run as a whole is called for it."""

from __future__ import annotations

import os
from typing import NamedTuple

from sandbox.errors import InternalError, SandboxError
from sandbox.outcome import Status
from sandbox.supervisor.stops import Exited, Killed
from sandbox.syscalls.flags import signal_name

SIGKILL, SIGSYS = 9, 31


class Ending(NamedTuple):
    """How the main guest, or the run as a whole, ended."""

    status: Status
    reason: str
    exit_code: int | None = None
    signal: str | None = None
    rule: str | None = None
    signo: int = 0
    forced: bool = False
    """It did not go when a control signal asked it to, and was killed."""


class ExecFailedError(SandboxError):
    """The kernel refused the main guest's first execve."""

    def __init__(self, error: int) -> None:
        super().__init__(os.strerror(error))
        self.error = error


class Endings:
    """Collects what ends a run. The first status set wins."""

    def __init__(self) -> None:
        self._first: Ending | None = None
        self._main: Ending | None = None
        self._forced = ""
        self._cut = False
        self._sigsys_sent: dict[int, int] = {}
        self._policy_killed: set[int] = set()

    def violation(self, reason: str, rule: str) -> None:
        """The policy killed a process."""
        self._set(Ending("violation", reason, rule=rule))

    def limit(self, which: str, reason: str) -> bool:
        """A limit ended the run. False where something else had done so before."""
        return self._set(Ending("limit", reason, rule=which))

    def forced(self, when: str) -> None:
        """The run is ended for a control signal; `when` is such as "2 s after SIGTERM"."""
        self._forced = self._forced or when

    def output_cut(self) -> None:
        """What the guests wrote was not read, and is given up."""
        self._cut = True

    def killed_by_policy(self, tgid: int, rule: str) -> None:
        """The supervisor makes this process die of SIGSYS."""
        self._policy_killed.add(tgid)
        self.violation(f"killed by rule {rule}", rule)

    def sigsys_delivered(self, tid: int, tgid: int) -> None:
        """Somebody's SIGSYS is delivered to a task; it may kill the task's process."""
        self._sigsys_sent[tid] = tgid

    def lives_on(self, tid: int) -> None:
        """The task stopped again, or exited by itself: no SIGSYS delivered to it before has killed it.

        A stop of another task of its process says nothing: it may have been waiting to be reported.
        """
        self._sigsys_sent.pop(tid, None)

    def forget_sigsys(self, tgid: int) -> None:
        """The process got through an execve, or is gone: no SIGSYS delivered before can kill it any more."""
        self._sigsys_sent = {tid: of for tid, of in self._sigsys_sent.items() if of != tgid}

    def process_ended(self, tgid: int, stop: Exited | Killed) -> None:
        """A process is gone. A death by SIGSYS that nobody delivered is the filter's own: a foreign ABI."""
        by_policy, delivered = tgid in self._policy_killed, tgid in self._sigsys_sent.values()
        self._policy_killed.discard(tgid)
        self.forget_sigsys(tgid)
        if isinstance(stop, Killed) and stop.signo == SIGSYS and not (delivered or by_policy):
            self.violation("a call in a foreign ABI (32-bit or x32)", "foreign-abi")

    def main_ended(self, stop: Exited | Killed) -> None:
        """The main guest is gone."""
        if isinstance(stop, Exited):
            status: Status = "exited" if stop.code else "ok"
            self._main = Ending(status, f"exit status {stop.code}", exit_code=stop.code)
            return
        name = signal_name(stop.signo)
        ending = Ending("signaled", f"killed by {name}", signal=name, signo=stop.signo)
        if self._forced and stop.signo == SIGKILL:
            ending = ending._replace(reason=f"{ending.reason} {self._forced}", forced=True)
        self._main = ending

    def result(self) -> Ending:
        """The run's ending. Raises InternalError where the main guest never ended."""
        if self._main is None:
            raise InternalError("the main guest vanished without a status")
        main = self._main
        if self._first is None:
            return self._without_output(main) if self._cut and not main.forced else main
        return self._first._replace(exit_code=main.exit_code, signal=main.signal, signo=main.signo)

    def _without_output(self, main: Ending) -> Ending:
        reason = f"{main.reason}, but its output was not read, and was given up {self._forced}"
        return Ending("signaled", reason, signal="SIGKILL", signo=SIGKILL, forced=True)

    def _set(self, ending: Ending) -> bool:
        first = self._first is None
        if first:
            self._first = ending
        return first
