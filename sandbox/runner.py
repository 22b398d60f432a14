"""The composition root: policy, filter, guest, supervisor and log meet here, and nowhere else.

`supervise` turns this process into the supervisor of one run; `sandbox.run` starts a process for it.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from sandbox import elf, isolated, rules
from sandbox._kernel import calls
from sandbox.audit.writer import AuditLog
from sandbox.errors import AuditError, InternalError, NotRunnableError, SandboxError, SetupError
from sandbox.launch import cgroup, confine, identity, namespaces, output, scratch, streams
from sandbox.launch import program as launch
from sandbox.launch.places import Places
from sandbox.outcome import Outcome, Usage
from sandbox.request import Request
from sandbox.rules import files
from sandbox.rules.files import Right
from sandbox.seccomp import bpf
from sandbox.seccomp.compile import compile_policy
from sandbox.supervisor.cpu_time import waited_for_us
from sandbox.supervisor.endings import Ending, ExecFailedError
from sandbox.supervisor.loop import Supervisor
from sandbox.supervisor.metadata import Realm
from sandbox.supervisor.meter import memory_passed
from sandbox.supervisor.recorder import Recorder

_ALWAYS = {"ptrace": "full", "seccomp": "full", "no-new-privs": "full"}
_SIGSYS_STATUS = 128 + 31


class Result(NamedTuple):
    """An outcome, the exit status of a command that reports it, and for the person a hint, or ''.

    The warning, or '', tells what the run left behind. `forced`: it did not go when it was asked to.
    `patience_ns`: until when (CLOCK_MONOTONIC) who reads what is told of the run may keep us waiting, -1 for
    ever.
    """

    outcome: Outcome
    exit_status: int
    hint: str = ""
    warning: str = ""
    forced: bool = False
    patience_ns: int = -1

    def check_patience(self) -> None:
        """Raises TimeoutError when nobody is to be waited for any more: at the run's deadline, or at a signal
        that asks for an end. Signals stay blocked after a run, so none ends a write by itself."""
        if _is_over(self.patience_ns):
            raise TimeoutError(errno.ETIMEDOUT, "its reader does not read")


def _is_over(patience_ns: int) -> bool:
    return 0 <= patience_ns <= time.monotonic_ns() or calls.control_pending()


def setup_error(error: Exception) -> Outcome:
    """The outcome of a run that was not begun."""
    return Outcome("setup-error", str(error))


def supervise(request: Request, places: Places, log: AuditLog, outer: Mapping[str, str]) -> Result:
    """Run to the end; `places` are the request's, opened.

    Never raises for what a guest or a program file does; every failure is an outcome.

    Blocks control signals in this process and gives up its stdin and stdout: call it once, in a process
    of its own, on its main thread.
    """
    run = _Run(request, places, log, outer)
    try:
        result = run.finish(run.supervise())
    except SandboxError as error:
        result = run.failed(error)
    try:
        run.write_end(result)
    except AuditError as error:
        result = run.failed(error)
    return result._replace(warning=run.warning, patience_ns=run.patience_ns())


class _Run:
    def __init__(self, request: Request, places: Places, log: AuditLog, outer: Mapping[str, str]) -> None:
        self.request = request
        self.places = places
        self.policy = request.policy
        self.log = log
        self.outer = outer
        self.recorder = Recorder(log, request.policy.limits.audit_size)
        self.supervisor: Supervisor | None = None
        self.started_ns = time.monotonic_ns()
        self.used_before = waited_for_us()
        self.written_start = False
        self.enforcement = dict(_ALWAYS)
        self.scratch: scratch.Scratch | None = None
        self.warning = ""
        self.user: tuple[int, int] | None = None
        self.uid = os.geteuid()
        self.foreign: set[int] = set()
        self.allowed: dict[Right, tuple[str, ...]] = {}
        self.account = cgroup.open_account(None)

    def supervise(self) -> Ending:
        self.log.on_stall(self._stalled)
        program = launch.open_program(self.request.argv[0], self.outer.get("PATH", launch.DEFAULT_PATH))
        try:
            return self._launch(program)
        finally:
            self.account.close()
            if self.scratch is not None and not self.scratch.remove(lambda: _is_over(self.patience_ns())):
                self.warning = f"the scratch directory {self.scratch.path} could not be removed"

    def _launch(self, program: launch.Program) -> Ending:
        spec = self._spec(program)
        calls.prepare()
        found = streams.Streams(self.request.closed)
        try:
            return self._begin(program, spec)
        finally:
            found.give_back()

    def _begin(self, program: launch.Program, spec: calls.Spec) -> Ending:
        self.foreign = calls.children()
        self.account = cgroup.open_account(self.policy.limits.memory)
        self._close()
        outlet = output.open_outlet(self.policy.limits.output)
        try:
            started = launch.start(spec._replace(output=outlet.output, cgroup=self.account.procs))
        except SetupError:
            if self.account.is_over():
                return self._too_large(program)
            raise
        finally:
            outlet.close()
        self.account.entered(started.event.pid)
        if self.policy.limits.memory is not None:
            self.enforcement["memory"] = self.account.enforcement
        if self.policy.limits.output is not None:
            self.enforcement["output"] = outlet.enforcement
        if started.lacks:
            self.enforcement["network-namespace"] = f"none: {started.lacks}"
        try:
            return self._supervise(program, started.event, outlet.pump)
        except ExecFailedError as error:
            places = self.allowed.get("exec")
            text = launch.exec_failure(program, error.error, places, other_user=self.user is not None)
            raise NotRunnableError(text) from None

    def _too_large(self, program: launch.Program) -> Ending:
        """The limit on memory is less than it takes to begin."""
        passed = memory_passed(self.policy.limits.memory or 0)
        self.enforcement["memory"] = self.account.enforcement
        self.write_start(program, None)
        self.recorder.limit(passed.which, passed.value)
        return Ending("limit", passed.text, signal="SIGKILL", rule=f"limits.{passed.which}", signo=9)

    def _supervise(self, program: launch.Program, event: calls.RawEvent, pump: int) -> Ending:
        self.supervisor = Supervisor(
            self.policy, self.recorder, started_ns=self.started_ns, watch_all=self._record_all(),
            places=self.allowed, scratch=self.scratch.path if self.scratch else "", foreign=self.foreign,
            user=self.user,
            realm=Realm(self._written(), self.uid),
            out_of_memory=self.account.is_over,
            memory_kept=self.account.enforcement == cgroup.FULL,
        )  # fmt: skip

        def begin() -> None:
            calls.protect()
            _release_stdio()
            self.write_start(program, event.pid)

        return self.supervisor.run(event, program.identity, begin, pump)

    def _written(self) -> tuple[int, ...] | None:
        """Where the guest may write, open; None if the policy does not confine files."""
        files = self.policy.files
        return None if files is None else tuple(one.fd for one in self.places.find_all(files.write))

    def _close(self) -> None:
        """From here on this process and those it forks run nothing that the guest may write, also where the
        tool is installed in such a place."""
        if self.log.active:
            elf.load()
        isolated.close()
        try:
            calls.detach(os.path.realpath(sys.executable), self.allowed.get("write", ()))
        except OSError as error:
            raise SetupError(
                f"the guest may write where this tool is installed, and its code cannot be copied: {error}; "
                "install it elsewhere"
            ) from None

    def patience_ns(self) -> int:
        """Until when a reader may keep us waiting; -1 for ever."""
        if self.supervisor is not None:
            return self.supervisor.shutdown.clock.patience_ns
        wall = self.policy.limits.wall
        return -1 if wall is None else self.started_ns + int(wall * 1e9)

    def _stalled(self) -> None:
        """The log's reader does not read. Give up at a limit, or where a person wants an end."""
        if self.supervisor.is_given_up() if self.supervisor else _is_over(self.patience_ns()):
            raise AuditError("the audit log cannot be written: its reader does not read")

    def _spec(self, program: launch.Program) -> calls.Spec:
        user = identity.choose(self.request.user, keep_root="root" in self._waivers())
        self.user = user
        self.uid = os.geteuid() if user is None else user[0]
        self._define_places(program, user)
        env = launch.environment(self.policy.environment, self.request.env, self.outer)
        env = confine.expanded(env, self.places.names)
        if self.scratch is not None:
            self.scratch.offer(env, self.request.env)
        confined = confine.confine(
            self.policy.files, self.places, network=self.policy.network,
            waived="landlock" in self.request.waivers,
        )  # fmt: skip
        if self.policy.files is not None or self.policy.network is not None:
            self.enforcement["landlock"] = confined.enforcement
            self.allowed = confined.allowed
        isolation = self._isolation()
        return calls.Spec(
            path=os.fsencode(launch.exec_path(program, moves=self.request.cwd is not None)),
            argv=tuple(os.fsencode(one) for one in self.request.argv),
            envp=tuple(os.fsencode(f"{name}={value}") for name, value in env.items()),
            filter=bpf.encode(self._filter()),
            cwd=-1 if self.request.cwd is None else self.places.cwd.fd,
            limits=launch.limits(self.policy),
            closed=self.request.closed,
            ruleset=confined.ruleset,
            user=user,
            isolate=isolation.flags,
            maps=isolation.maps,
        )

    def _isolation(self) -> namespaces.Isolation:
        """The namespaces to try. The filter refuses every socket family without them, too."""
        if not namespaces.wanted(self.policy.network):
            return namespaces.Isolation()
        isolation = namespaces.ours()
        self.enforcement["network-namespace"] = f"none: {isolation.lacks}" if isolation.lacks else "full"
        return isolation

    def _define_places(self, program: launch.Program, user: tuple[int, int] | None) -> None:
        """What `${program}` and `${scratch}` stand for in this run."""
        self.places.define("program", program.fd)
        if self.policy.files is not None and self.policy.files.scratch:
            self.scratch = scratch.make(user)
            self.places.define("scratch", self.scratch.fd)

    def _filter(self) -> bpf.Program:
        policy = launch.startable(self.policy)
        supervised = rules.SUPERVISED | (files.CALLS if self.allowed and self.log.active else frozenset())
        return compile_policy(policy, supervised, record_all=self._record_all())

    def _record_all(self) -> bool:
        return self.request.level == "all" and self.log.active

    # ---- records ----

    def write_start(self, program: launch.Program | None, pid: int | None) -> None:
        """The first record; without a program where there is none to run."""
        self.written_start = True
        if not self.log.active:
            return
        self.log.emit(
            "start",
            time=_rfc3339(time.time()),
            argv=[_text(one) for one in self.request.argv],
            cwd=_text(self.places.cwd.path),
            policy={"name": self.policy.name, "sha256": self.policy.sha256},
            kernel=os.uname().release,
            enforcement=self.enforcement,
            elf=elf.facts(program.fd).as_dict() if program else None,
            level=self.request.level,
            program=_text(program.found) if program else None,
            files={right: [_text(path) for path in paths] for right, paths in self.allowed.items()} or None,
            pid=pid,
        )

    def write_end(self, result: Result) -> None:
        """The last record."""
        if not self.log.active or self.log.failed:
            return
        if not self.written_start:
            self.write_start(None, None)
        self.recorder.flush()
        self.log.emit("end", **result.outcome.as_dict(), calls=self.recorder.counts)

    # ---- results ----

    def finish(self, ending: Ending) -> Result:
        """The result of a run that was supervised to its end."""
        outcome = Outcome(
            ending.status, ending.reason, ending.exit_code, ending.signal, ending.rule,
            self._usage(), self.enforcement, self._waivers(),
        )  # fmt: skip
        bad = ending.status not in ("ok", "limit")
        hint = self._hint() if bad else ""
        return Result(outcome, _exit_status(ending), hint, forced=ending.forced)

    def failed(self, error: SandboxError) -> Result:
        """The result of a run that could not be started, or that ended closed."""
        internal = isinstance(error, InternalError | AuditError)
        status: Any = "internal-error" if internal else "setup-error"
        outcome = Outcome(
            status, str(error), usage=self._usage(), enforcement=self.enforcement, waivers=self._waivers()
        )
        return Result(outcome, error.exit_code)

    def _waivers(self) -> tuple[str, ...]:
        return (*(one.name for one in self.policy.waivers), *self.request.waivers)

    def _usage(self) -> Usage:
        supervisor = self.supervisor
        used = supervisor.cpu_time.since(self.used_before) if supervisor else 0.0
        return Usage(
            wall_s=round((time.monotonic_ns() - self.started_ns) / 1e9, 6),
            cpu_s=round(max(used, supervisor.meter.ended_s), 6) if supervisor else 0.0,
            max_rss_bytes=max(supervisor.meter.peak, supervisor.peak_kb * 1024) if supervisor else 0,
            processes=supervisor.tasks.made if supervisor else 0,
            calls_supervised=self.recorder.supervised,
            calls_refused=self.recorder.refused,
            memory_peak_bytes=self.account.peak,
        )

    def _hint(self) -> str:
        refusals = list(self.recorder.refusals)
        if not refusals:
            return ""
        hinted = [one for one in refusals if self._hint_of(one)]
        last = call, rule, _ = (hinted or refusals)[-1]
        text = f"{call} refused by {self.policy.name}:{rule}"
        if hinted:
            return f"{text}: {self._hint_of(last)}"
        # Perhaps it was not this call: what Landlock refuses is seen where calls with paths stop.
        unseen = bool(self.allowed) and not self.log.active
        return f"{text}; with --audit FILE, refused paths are named, too" if unseen else text

    def _hint_of(self, refused: tuple[str, str, int]) -> str:
        if options := self.recorder.options.get(refused):
            return f"allow it with {options}"
        return self.policy.hint(refused[1]) or rules.HINTS.get(refused[1], "")


def _exit_status(ending: Ending) -> int:
    if ending.status == "violation":
        return _SIGSYS_STATUS
    if ending.status == "limit":
        return 124
    if ending.exit_code is not None:
        return ending.exit_code
    return 128 + ending.signo


def _release_stdio() -> None:
    """Standard input and output belong to the guest alone: a pipe must close when the guest closes it."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def _text(value: str) -> str:
    return os.fsencode(value).decode("utf-8", "backslashreplace")


def _rfc3339(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"
