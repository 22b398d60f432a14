"""The loop: a stop comes in, is classified, judged, recorded and acted on; then the next.

One thread runs it and owns every tracee. `on_…` methods say what the kernel told us. Any exception ends
with every guest dead.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from sandbox import rules
from sandbox._kernel import calls
from sandbox._kernel.behalf import GuestRights
from sandbox.errors import InternalError, SandboxError
from sandbox.outcome import Allow, Kill, Refuse, Return, Rewrite, Verdict
from sandbox.policy.model import Policy
from sandbox.rules import files
from sandbox.rules.clone import TASK_LIMIT
from sandbox.supervisor import images, stops
from sandbox.supervisor.apply import Answer, Next, Rest, Resume, apply, restore, rewrite
from sandbox.supervisor.births import MAKES_TASKS, Births
from sandbox.supervisor.cpu_time import CpuTime
from sandbox.supervisor.endings import Ending, ExecFailedError
from sandbox.supervisor.file_size import SIGXFSZ, is_reached
from sandbox.supervisor.metadata import Realm, perform
from sandbox.supervisor.meter import Passed
from sandbox.supervisor.recorder import Recorder
from sandbox.supervisor.refusals import PathRefusals
from sandbox.supervisor.shutdown import Shutdown
from sandbox.supervisor.stops import Exited, ExitStop, Killed, NoneLeft, Stop, TraceeStop, classify
from sandbox.supervisor.tracee import Stopped, Strings, Task, Tasks
from sandbox.supervisor.view import StopView
from sandbox.syscalls import table
from sandbox.syscalls.call import Call, on_vsyscall_page

SIGKILL, SIGSYS, ENOSYS = 9, 31, 38
# Calls that do not come back to where they were made, or whose result a record of its own tells.
_WITHOUT_RESULT = images.EXEC_CALLS | MAKES_TASKS | {table.NUMBERS["exit"], table.NUMBERS["exit_group"]}


class Supervisor:
    """Follows one main guest and everything it makes, to the end of the last task."""

    def __init__(
        self,
        policy: Policy,
        recorder: Recorder,
        *,
        started_ns: int,
        watch_all: bool = False,
        places: dict[files.Right, tuple[str, ...]] | None = None,
        scratch: str = "",
        foreign: set[int] | None = None,
        realm: Realm | None = None,
        user: tuple[int, int] | None = None,
        out_of_memory: Callable[[], bool] = lambda: False,
        memory_kept: bool = False,
    ) -> None:
        """`places`: what `[files]` allows, by right, where Landlock confines files; `scratch`: the run's own
        directory; `foreign`: children this process had before the run; `realm`: where files' modes and times
        may be changed; `user`: uid and gid of the guests, where they are not ours; `out_of_memory`: whether
        the kernel has killed guests at the limit on memory; `memory_kept`: it keeps all of that limit."""
        self.policy = policy
        self.recorder = recorder
        self.tasks = Tasks()
        self.shutdown = Shutdown(
            policy.limits, self.tasks, recorder, started_ns=started_ns, foreign=foreign or set(),
            out_of_memory=out_of_memory, memory_kept=memory_kept,
        )  # fmt: skip
        self.meter = self.shutdown.meter
        self.endings = self.shutdown.endings
        self.births = Births(recorder, self.tasks, policy.process, trace_exits=self.meter.watches_cpu)
        self.cpu_time = CpuTime(self.tasks, foreign or set())
        self.main = 0
        self.peak_kb = 0
        self._identity = (0, 0)
        self._watch_all = watch_all
        self._realm = realm or Realm((), -1)
        self._rights = GuestRights(user)
        self._executable = places["exec"] if places else None
        self._refusals = PathRefusals(recorder, places or {}, scratch)

    def run(
        self, first: calls.RawEvent, identity: tuple[int, int], begin: Callable[[], None], pump: int = 0
    ) -> Ending:
        """Supervise from the seccomp stop of the main guest's first execve. `identity` is the (device,
        inode) of the file that must be running after it; `begin` is called before the guest goes on; `pump`
        is the process its output goes through, 0 for none.

        Raises ExecFailedError, AuditError, InternalError; then, too, no guest is left.
        """
        try:
            self._identity = identity
            self.main = self.shutdown.main = first.pid
            self.shutdown.pump = pump
            self.tasks.add(first.pid, first.pid, os.getpid()).launching = True
            begin()
            self._loop(classify(first))
            return self.endings.result()
        except BaseException as error:
            self.shutdown.abandon()
            if isinstance(error, SandboxError):
                raise
            raise InternalError(f"supervisor failed: {type(error).__name__}: {error}") from error

    def is_given_up(self) -> bool:
        """Asked while the log's reader keeps the run waiting: whether the run is to end all the same."""
        return self.shutdown.is_given_up(self.births.waiting())

    def _loop(self, stop: Stop) -> None:
        while not isinstance(stop, NoneLeft):
            step = self._dispatch(stop)
            if self.recorder.full:
                self.shutdown.on_log_full()
            if self.shutdown.is_over():
                return
            stop = classify(self._proceed(step))

    def _proceed(self, step: Next) -> calls.RawEvent:
        deadline = self.shutdown.clock.next_ns
        match step:
            case Resume(pid, request, signo):
                return calls.resume_wait(pid, request, signo, deadline)
            case Answer(pid, value):
                return calls.answer_wait(pid, value, deadline)
            case Rest():
                return calls.wait(deadline)

    # ---- dispatch ----

    def _dispatch(self, stop: Stop) -> Next:
        match stop:
            case Exited() | Killed():
                return self.on_end(stop)
            case stops.Deadline():
                self.shutdown.on_deadline(self.births.waiting())
                return Rest()
            case stops.Control():
                self.shutdown.on_control(stop)
                return Rest()
            case stops.Vanished() | NoneLeft():
                return Rest()
            case ExitStop():
                return self.on_exit_stop(stop)
            case _:
                return self._dispatch_stop(stop)

    def _dispatch_stop(self, stop: TraceeStop) -> Next:
        if self.shutdown.closing:
            self.shutdown.send(stop.pid, SIGKILL)
            return Rest()
        try:
            return self._dispatch_live(stop)
        except ProcessLookupError:
            return Rest()  # SIGKILL ended the stop under our hands; its end will be reported

    def _dispatch_live(self, stop: TraceeStop) -> Next:
        match stop:
            case stops.TrapStop(pid) | stops.GroupStop(pid):
                return self.on_trap(pid, listen=isinstance(stop, stops.GroupStop))
            case stops.SeccompStop(pid, call):
                return self.on_call(self._stopped(pid), call)
            case stops.SyscallExit(pid, rval):
                return self.on_return(self._stopped(pid), rval)
            case stops.SyscallEntry(pid):
                return Resume(pid, calls.PTRACE_SYSCALL)
            case stops.SignalStop(pid, signo, sender, code):
                return self.on_signal(self._stopped(pid), signo, sender, code)
            case stops.NewTask(pid, child):
                return self.births.on_event(self._stopped(pid), child)
            case stops.ExecStop(pid, former):
                return self.on_exec(pid, former)

    def _stopped(self, pid: int) -> Stopped:
        task = self.tasks.get(pid)
        if task is None:
            raise InternalError(f"task {pid} stopped before it was born")
        self.endings.lives_on(task.tid)
        return Stopped(task)

    # ---- calls ----

    def on_call(self, stopped: Stopped, call: Call) -> Next:
        """A supervised call is about to run."""
        task = stopped.task
        if task.launching:
            return Resume(stopped.spend(), calls.PTRACE_SYSCALL)
        view = self._view(stopped)
        outside = None
        verdict = rules.judge(self.policy, call, view)
        if isinstance(verdict, Return) and verdict.deed is not None:
            result, outside = perform(verdict.deed, view.caller, self._realm)
            verdict = Refuse(-result, verdict.rule) if result < 0 else verdict._replace(deed=None)
        if on_vsyscall_page(call):
            return self._on_vsyscall(stopped, call, verdict, view)
        self._flush_watched(stopped.task)
        if isinstance(verdict, Allow) and self._watch_all:
            verdict = verdict._replace(watch=True)
        if isinstance(verdict, Allow | Rewrite) and call.nr in self._refusals.calls:
            self._refusals.note(task, call, verdict, view)
            if isinstance(verdict, Allow) and not (verdict.watch or call.nr in rules.SUPERVISED):
                return Resume(stopped.spend(), calls.PTRACE_SYSCALL)
        fields = self.recorder.judged(task, call, verdict, images.reader(view))
        if outside is not None and isinstance(verdict, Refuse):
            fields |= self.recorder.named((table.name(call.nr), verdict.rule, verdict.errno), outside)
        if isinstance(verdict, Allow) and verdict.watch and call.nr not in _WITHOUT_RESULT:
            task.watching = fields
        else:
            self.recorder.call(fields)
        return self._apply(stopped, call, verdict, view)

    def _on_vsyscall(self, stopped: Stopped, call: Call, verdict: Verdict, view: StopView) -> Next:
        """A call emulated by the kernel (arch/x86/entry/vsyscall) has no exit stop: its result cannot be
        watched and its registers could not be put back, so it is not run with others."""
        if isinstance(verdict, Rewrite):
            verdict = Refuse(ENOSYS, verdict.rule)
        if isinstance(verdict, Allow):
            verdict = verdict._replace(watch=False)
        self.recorder.call(self.recorder.judged(stopped.task, call, verdict, images.reader(view)))
        return self._apply(stopped, call, verdict, view)

    def _flush_watched(self, task: Task) -> None:
        """Write the record of a watched call whose end will not be seen any more."""
        if task.watching is not None:
            fields, task.watching = task.watching, None
            self.recorder.call(fields)

    def _view(self, stopped: Stopped, strings: Strings | None = None) -> StopView:
        return StopView(
            stopped, self.tasks, self.births.making, self._rights, self._executable, strings
        )  # fmt: skip

    def _apply(self, stopped: Stopped, call: Call, verdict: Verdict, view: StopView) -> Next:
        if isinstance(verdict, Allow):
            if (changes := self.births.on_call(stopped, call)) is not None:
                return rewrite(stopped, call, changes)
            if call.nr in images.EXEC_CALLS:
                self._before_exec(stopped.task, call, view)
            if stopped.task.path_call is not None:
                return Resume(stopped.spend(), calls.PTRACE_SYSCALL)
        if isinstance(verdict, Kill):
            self.endings.killed_by_policy(stopped.task.tgid, verdict.rule)
        if isinstance(verdict, Refuse) and verdict.rule == TASK_LIMIT:
            limit = self.policy.process.max or 0
            self.shutdown.passed(Passed("processes", limit, f"limit of {limit} processes and threads"))
            return Rest()
        return apply(stopped, verdict, call)

    def _before_exec(self, task: Task, call: Call, view: StopView) -> None:
        if task.tgid == self.main:
            self.meter.see_peak(task)
        if self.recorder.active:
            task.image = images.request(call, view)

    def on_return(self, stopped: Stopped, rval: int) -> Next:
        """A rewritten or watched call, or one that should have made a task, ended without an event."""
        task = stopped.task
        if task.launching:
            raise ExecFailedError(-rval)
        restore(stopped)
        if task.watching is not None:
            fields, task.watching = task.watching, None
            self.recorder.call(fields, rval)
        if task.path_call is not None:
            noted, task.path_call = task.path_call, None
            self._refusals.returned(task, noted, rval, self._view(stopped, noted.strings))
        self.births.on_return(stopped)
        return Resume(stopped.spend())

    # ---- signals and stops ----

    def on_signal(self, stopped: Stopped, signo: int, sender: int | None, code: int) -> Next:
        """A signal is about to be delivered: pass it on."""
        self.recorder.signal(stopped.task, signo, sender)
        size = self.policy.limits.file_size
        if signo == SIGXFSZ and size is not None and is_reached(stopped, sender, code, size):
            self.shutdown.passed(Passed("file-size", size, f"file size limit of {size} bytes"))
            return Rest()
        if signo == SIGSYS and not images.handles(stopped.task.tid, signo):
            self.endings.sigsys_delivered(stopped.task.tid, stopped.task.tgid)
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
        task.restore, task.path_call = {}, None
        self.endings.forget_sigsys(task.tgid)
        with images.inspect(pid) as image:
            if not self._is_expected(task, image):
                return Rest()
            if task.image is not None and self.recorder.active:
                self.recorder.exec(task, task.image["path"], task.image["argv"], image.facts())
        task.image = None
        if not self.policy.process.vdso:
            calls.hide_auxv(pid, stopped.registers().rsp)
        self.births.on_exec(task)
        return Resume(stopped.spend())

    def _is_expected(self, task: Task, image: images.Image) -> bool:
        """Whether the image may run; else its process is killed."""
        if task.launching:
            if image.identity != self._identity:
                raise InternalError("another file than the one that was checked is running")
            task.launching = False
        elif not image.native:
            self.endings.violation("an image of a foreign machine", "exec-foreign")
            self.shutdown.send(task.tgid, SIGKILL)
            return False
        return True

    # ---- ends ----

    def on_exit_stop(self, stop: ExitStop) -> Next:
        """A task is about to be gone; its times and memory can be read for the last time."""
        if task := self.tasks.get(stop.pid):
            self.meter.ended(task)
            if task.tgid == self.main:
                self.meter.see_peak(task)
        return Resume(stop.pid)

    def on_end(self, stop: Exited | Killed) -> Next:
        """A task is gone."""
        if stop.pid == self.shutdown.pump:
            self.shutdown.on_pump_end(stop)
            self.cpu_time.other_ended(stop, ours=True)
            return Rest()
        task = self.tasks.remove(stop.pid)
        if task is None:
            self.births.on_unseen_end(stop)
            self.cpu_time.other_ended(stop)
            return Rest()
        self.cpu_time.ended(task, stop)
        self._flush_watched(task)
        if isinstance(stop, Killed) and stop.signo == SIGKILL:
            self.shutdown.on_kill()
        if isinstance(stop, Exited):
            self.endings.lives_on(task.tid)
        if task.tid == task.tgid:
            self.endings.process_ended(task.tgid, stop)
        self.recorder.exit(task, stop)
        if not self.shutdown.closing:
            self.births.on_end(task, stop)
        if task.tid == self.main:
            self.endings.main_ended(stop)
            self.shutdown.close()
        elif task.tgid != self.main:
            self.peak_kb = max(self.peak_kb, stop.maxrss_kb)
        self.shutdown.check_drained()
        return Rest()
