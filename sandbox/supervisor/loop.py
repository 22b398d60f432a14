"""The loop: a stop comes in, is classified, judged, recorded and acted on; then the next.

One thread runs it and owns every tracee. `on_…` methods say what the kernel told us. Any exception ends
with every guest dead.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

from sandbox import rules
from sandbox._kernel import calls
from sandbox.errors import InternalError, SandboxError
from sandbox.outcome import Allow, Kill, Status, Verdict
from sandbox.policy.model import Policy
from sandbox.supervisor import images
from sandbox.supervisor.apply import Answer, Next, Rest, Resume, apply, restore, rewrite
from sandbox.supervisor.births import MAKES_TASKS, Births
from sandbox.supervisor.recorder import Recorder
from sandbox.supervisor.stops import (
    Control,
    Deadline,
    ExecStop,
    Exited,
    GroupStop,
    Killed,
    NewTask,
    NoneLeft,
    SeccompStop,
    SignalStop,
    Stop,
    SyscallEntry,
    SyscallExit,
    TraceeStop,
    TrapStop,
    Vanished,
    classify,
)  # fmt: skip
from sandbox.supervisor.tracee import Stopped, Task, Tasks
from sandbox.supervisor.view import StopView
from sandbox.syscalls import table
from sandbox.syscalls.call import Call
from sandbox.syscalls.flags import signal_name

GRACE_NS = 2_000_000_000
DRAIN_NS = 10_000_000_000
SIGKILL, SIGSYS = 9, 31
# Calls that do not come back to where they were made, or whose result a record of its own tells.
_WITHOUT_RESULT = images.EXEC_CALLS | MAKES_TASKS | {table.NUMBERS["exit"], table.NUMBERS["exit_group"]}


class Ending(NamedTuple):
    """How the main guest, or the run as a whole, ended. The first status set wins."""

    status: Status
    reason: str
    exit_code: int | None = None
    signal: str | None = None
    rule: str | None = None
    signo: int = 0


class ExecFailedError(SandboxError):
    """The kernel refused the main guest's first execve."""

    def __init__(self, error: int) -> None:
        super().__init__(os.strerror(error))
        self.error = error


class Supervisor:
    """Follows one main guest and everything it makes, to the end of the last task."""

    def __init__(
        self,
        policy: Policy,
        recorder: Recorder,
        *,
        wall: float | None,
        started_ns: int,
        watch_all: bool = False,
    ) -> None:
        self.policy = policy
        self.recorder = recorder
        self.tasks = Tasks()
        self.births = Births(recorder, self.tasks, policy.process.vfork)
        self.main = 0
        self._watch_all = watch_all
        self._wall = wall or 0.0
        self._deadline_ns = -1 if wall is None else started_ns + int(wall * 1e9)
        self._ending: Ending | None = None
        self._main_ending: Ending | None = None
        self._closing = False
        self._controls = 0
        self._sigsys_sent: set[int] = set()
        self._policy_killed: dict[int, Kill] = {}

    def run(self, first: calls.RawEvent, identity: tuple[int, int], begin: Callable[[], None]) -> Ending:
        """Supervise from the seccomp stop of the main guest's first execve. `identity` is the (device,
        inode) of the file that must be running after it; `begin` is called before the guest goes on.

        Raises ExecFailedError, AuditError, InternalError; then, too, no guest is left.
        """
        try:
            begin()
            return self._run(first, identity)
        except BaseException as error:
            self._abandon()
            if isinstance(error, SandboxError):
                raise
            raise InternalError(f"supervisor failed: {type(error).__name__}: {error}") from error

    def _run(self, first: calls.RawEvent, identity: tuple[int, int]) -> Ending:
        task = self.tasks.add(first.pid, first.pid, os.getpid())
        task.launching = True
        self.main = first.pid
        self._identity = identity
        stop = classify(first)
        while not isinstance(stop, NoneLeft):
            stop = classify(self._proceed(self._dispatch(stop)))
        if self._main_ending is None:
            raise InternalError("the main guest vanished without a status")
        if self._ending is None:
            return self._main_ending
        main = self._main_ending
        return self._ending._replace(exit_code=main.exit_code, signal=main.signal, signo=main.signo)

    def _proceed(self, step: Next) -> calls.RawEvent:
        match step:
            case Resume(pid, request, signo):
                return calls.resume_wait(pid, request, signo, self._deadline_ns)
            case Answer(pid, value):
                return calls.answer_wait(pid, value, self._deadline_ns)
            case Rest():
                return calls.wait(self._deadline_ns)

    # ---- dispatch ----

    def _dispatch(self, stop: Stop) -> Next:
        match stop:
            case Exited() | Killed():
                return self.on_end(stop)
            case Deadline():
                return self.on_deadline()
            case Control():
                return self.on_control(stop)
            case Vanished() | NoneLeft():
                return Rest()
            case _:
                return self._dispatch_stop(stop)

    def _dispatch_stop(self, stop: TraceeStop) -> Next:
        if self._closing:
            self._kill_group(stop.pid)
            return Rest()
        try:
            return self._dispatch_live(stop)
        except ProcessLookupError:
            return Rest()  # SIGKILL ended the stop under our hands; its end will be reported

    def _dispatch_live(self, stop: TraceeStop) -> Next:
        match stop:
            case TrapStop(pid) | GroupStop(pid):
                return self.on_trap(pid, listen=isinstance(stop, GroupStop))
            case SeccompStop(pid, call):
                return self.on_call(self._stopped(pid), call)
            case SyscallExit(pid, rval):
                return self.on_return(self._stopped(pid), rval)
            case SyscallEntry(pid):
                return Resume(pid, calls.PTRACE_SYSCALL)
            case SignalStop(pid, signo, sender):
                return self.on_signal(self._stopped(pid), signo, sender)
            case NewTask(pid, child):
                return self.births.on_event(self._stopped(pid), child)
            case ExecStop(pid, former):
                return self.on_exec(pid, former)

    def _stopped(self, pid: int) -> Stopped:
        task = self.tasks.get(pid)
        if task is None:
            raise InternalError(f"task {pid} stopped before it was born")
        self._sigsys_sent.discard(task.tgid)  # it lived on
        return Stopped(task)

    # ---- calls ----

    def on_call(self, stopped: Stopped, call: Call) -> Next:
        """A supervised call is about to run."""
        task = stopped.task
        if task.launching:
            return Resume(stopped.spend(), calls.PTRACE_SYSCALL)
        view = StopView(stopped, self.tasks)
        verdict = rules.judge(self.policy, call, view)
        if isinstance(verdict, Allow) and self._watch_all:
            verdict = verdict._replace(watch=True)
        fields = self.recorder.judged(task, call, verdict, images.reader(view))
        if isinstance(verdict, Allow) and verdict.watch and call.nr not in _WITHOUT_RESULT:
            task.watching = fields
        else:
            self.recorder.call(fields)
        return self._apply(stopped, call, verdict, view)

    def _apply(self, stopped: Stopped, call: Call, verdict: Verdict, view: StopView) -> Next:
        if isinstance(verdict, Allow):
            if (changes := self.births.on_call(stopped, call)) is not None:
                return rewrite(stopped, call, changes)
            if call.nr in images.EXEC_CALLS and self.recorder.active:
                stopped.task.image = images.request(call, view)
        if isinstance(verdict, Kill):
            self._policy_killed[stopped.task.tgid] = verdict
            self._set_ending(Ending("violation", f"killed by rule {verdict.rule}", rule=verdict.rule))
        return apply(stopped, verdict, call)

    def on_return(self, stopped: Stopped, rval: int) -> Next:
        """A rewritten or watched call, or one that should have made a task, ended without an event."""
        task = stopped.task
        if task.launching:
            raise ExecFailedError(-rval)
        restore(stopped)
        if task.watching is not None:
            fields, task.watching = task.watching, None
            self.recorder.call(fields, rval)
        self.births.on_return(stopped)
        return Resume(stopped.spend())

    # ---- signals and stops ----

    def on_signal(self, stopped: Stopped, signo: int, sender: int | None) -> Next:
        """A signal is about to be delivered: pass it on."""
        self.recorder.signal(stopped.task, signo, sender)
        if signo == SIGSYS:
            self._sigsys_sent.add(stopped.task.tgid)
        return Resume(stopped.spend(), calls.PTRACE_CONT, signo)

    def on_trap(self, pid: int, *, listen: bool) -> Next:
        """A first stop, a group-stop, or the end of one."""
        request = calls.PTRACE_LISTEN if listen else calls.PTRACE_CONT
        task = self.tasks.get(pid)
        if task is None:
            return self.births.on_first_stop(pid, request)
        return Resume(Stopped(task).spend(), request)

    # ---- exec ----

    def on_exec(self, pid: int, former: int) -> Next:
        """A new image is in place and has not run."""
        if former != pid and self.tasks.get(former) is not None:
            self.births.on_rename(former, pid)
            self.tasks.rename(former, pid)
        stopped = self._stopped(pid)
        task = stopped.task
        task.restore = {}
        image = images.inspect(pid)
        if task.launching:
            if (image.device, image.inode) != self._identity:
                raise InternalError("another file than the one that was checked is running")
            task.launching = False
        elif not image.native:
            self._set_ending(Ending("violation", "an image of a foreign machine", rule="exec-foreign"))
            self._kill_group(task.tgid)
            return Rest()
        if not self.policy.process.vdso:
            calls.hide_auxv(pid, stopped.registers().rsp)
        if task.image is not None and self.recorder.active:
            self.recorder.exec(task, task.image["path"], task.image["argv"], image.facts())
            task.image = None
        self.births.on_exec(task)
        return Resume(stopped.spend())

    # ---- ends ----

    def on_end(self, stop: Exited | Killed) -> Next:
        """A task is gone."""
        task = self.tasks.remove(stop.pid)
        if task is None:
            self.births.on_unseen_end(stop)
            return Rest()
        if task.watching is not None:
            self.recorder.call(task.watching)
        if task.tid == task.tgid:
            self._note_violation(task, stop)
        self.recorder.exit(task, stop)
        if not self._closing:
            self.births.on_end(task, stop)
        if task.tid == self.main:
            self._main_ending = self._main_end(task, stop)
            self._close()
        return Rest()

    def _note_violation(self, task: Task, stop: Exited | Killed) -> None:
        """A death by SIGSYS that nobody delivered is the filter's: a foreign ABI (arch or x32 numbers)."""
        by_policy = self._policy_killed.pop(task.tgid, None)
        delivered = task.tgid in self._sigsys_sent
        self._sigsys_sent.discard(task.tgid)
        if isinstance(stop, Killed) and stop.signo == SIGSYS and not delivered and by_policy is None:
            self._set_ending(
                Ending("violation", "a call in a foreign ABI (32-bit or x32)", rule="foreign-abi")
            )

    def _main_end(self, task: Task, stop: Exited | Killed) -> Ending:
        if isinstance(stop, Exited):
            return Ending("exited" if stop.code else "ok", f"exit status {stop.code}", exit_code=stop.code)
        name = signal_name(stop.signo)
        return Ending("signaled", f"killed by {name}", signal=name, signo=stop.signo)

    def _set_ending(self, ending: Ending) -> None:
        if self._ending is None:
            self._ending = ending

    # ---- the run's own end ----

    def on_deadline(self) -> Next:
        """The wall limit, or the grace after a control signal, or the time for all to die, is over."""
        if self._closing:
            raise InternalError("guests did not die within 10 s of SIGKILL")
        if self._controls == 0:
            self.recorder.limit("wall", self._wall)
            self._set_ending(Ending("limit", f"wall-clock limit of {self._wall:g} s", rule="limits.wall"))
        self._close()
        return Rest()

    def on_control(self, stop: Control) -> Next:
        """Ctrl-C, SIGTERM, SIGHUP or SIGQUIT: first to the main guest; the second one ends everything."""
        self._controls += 1
        if self._controls > 1:
            self._close()
        elif not self._closing:
            self._deadline_ns = time.monotonic_ns() + GRACE_NS
            # The terminal sent it to the whole foreground group; the guest has its own already.
            if not (stop.terminal and self._shares_group()):
                self._send(self.main, stop.signo)
        return Rest()

    def _shares_group(self) -> bool:
        try:
            return os.getpgid(self.main) == os.getpgrp()
        except ProcessLookupError:
            return False

    def _close(self) -> None:
        """Kill every guest. From here on only ends are waited for."""
        if not self._closing:
            self._closing = True
            self._deadline_ns = time.monotonic_ns() + DRAIN_NS
        for group in self.tasks.groups():
            self._kill_group(group)

    def _kill_group(self, pid: int) -> None:
        self._send(pid, SIGKILL)

    def _send(self, pid: int, signo: int) -> None:
        """To a tracee that was not reaped, so its id cannot have been given to another process."""
        try:
            calls.kill(pid, signo)
        except (ProcessLookupError, PermissionError):
            pass

    def _abandon(self) -> None:
        """After an error: kill everything and wait until it is gone; EXITKILL takes what is left."""
        self._closing = True
        deadline = time.monotonic_ns() + DRAIN_NS
        self._close()
        try:
            while (raw := calls.wait(deadline)).kind in (calls.STATUS, calls.SIGNAL):
                if raw.kind == calls.STATUS and raw.status & 0xFF == 0x7F:
                    self._kill_group(raw.pid)
        except OSError:
            pass
