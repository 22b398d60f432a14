"""What happened, as audit records; and the counts that the outcome reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from sandbox._kernel.calls import Registers
from sandbox.outcome import Allow, Kill, Refuse, Return, Rewrite, Verdict
from sandbox.rules.files import Refusal
from sandbox.supervisor.stops import Exited, Killed
from sandbox.supervisor.tracee import Task
from sandbox.supervisor.vfork import Born, Release
from sandbox.syscalls import decode, errnos, flags, table
from sandbox.syscalls.call import Call

CLONE_VFORK = 0x4000
CLONE_THREAD = 0x10000


# A call made over and over, such as a refused one in a loop, fills no disk: from the ninth on, records that
# would be equal are counted, and the count is written with the next other record, or when it is this large.
ONE_BY_ONE = 8
AT_MOST_OWED = 4096

# Linux has fewer than 500 calls, but a guest may make up numbers: counts are kept of so many names.
MOST_NAMES = 1000
OTHER_NAMES = "syscall_other"

UNEXPLAINED = "files.other"
"""The rule of a call that the kernel refused though `[files]` allows the path that was read, or none could be
read: by the file's own permissions, or another path stood there when the kernel looked."""

Reader = Callable[[int], str | None]
"""How the text at an address of the guest is had; None where it cannot be read."""


class Log(Protocol):
    """What the supervisor needs of an audit log (`sandbox.audit.writer.AuditLog`)."""

    @property
    def active(self) -> bool:
        """False where nobody reads: fields need not be built."""

    @property
    def size(self) -> int:
        """How many bytes were written."""

    def emit(self, event: str, /, **fields: Any) -> None:
        """Write one record; raises AuditError where that fails."""


def verdict_word(verdict: Verdict) -> str:
    """The verdict as audit records name it."""
    match verdict:
        case Allow():
            return "allow"
        case Refuse():
            return "refuse"
        case Return():
            return "return"
        case Rewrite():
            return "rewrite"
        case Kill():
            return "kill"


def _shown(registers: Registers | None, rax: int | None = None) -> dict[str, str] | None:
    if registers is None:
        return None
    values = {"rip": registers.rip, "rsp": registers.rsp, "rax": registers.rax if rax is None else rax}
    values |= {"r9": registers.r9, "eflags": registers.eflags}
    return {name: f"{value:#x}" for name, value in values.items()}


class Recorder:
    """Writes records of a run and counts its calls. Each method returns when the record is in the log.
    `full` is True once the log holds more than `most` bytes; records are still written then."""

    def __init__(self, log: Log, most: int | None = None) -> None:
        self._log = log
        self._most = most
        self.full = False
        self.counts: dict[str, dict[str, int]] = {}
        self.refusals: dict[tuple[str, str, int], int] = {}
        self.options: dict[tuple[str, str, int], str] = {}
        self._last: dict[str, Any] | None = None
        self._same = 0
        self._owed = 0
        self.supervised = 0
        self.refused = 0

    @property
    def active(self) -> bool:
        """Whether anything is written at all."""
        return self._log.active

    def judged(self, task: Task, call: Call, verdict: Verdict, read: Reader) -> dict[str, Any]:
        """Count a call and what was decided; the fields of its record, taken before the call can run."""
        self._count(table.name(call.nr), verdict_word(verdict), verdict)
        return self.fields(task, call, verdict, read) if self._log.active else {}

    def fields(self, task: Task, call: Call, verdict: Verdict, read: Reader) -> dict[str, Any]:
        """The fields of a call's record."""
        name, word = table.name(call.nr), verdict_word(verdict)
        fields: dict[str, Any] = {
            "pid": task.tgid, "tid": task.tid, "nr": call.nr, "call": name,
            "args": decode.describe(call, read), "verdict": word,
        }  # fmt: skip
        if isinstance(verdict, Refuse):
            fields["errno"] = errnos.errno_name(verdict.errno)
        fields["rule"] = verdict.rule
        if isinstance(verdict, Return):
            fields["ret"] = verdict.value
        return fields

    def call(self, fields: dict[str, Any], ret: int | None = None) -> None:
        """Write the record of a judged call, with its result where it was watched."""
        if ret is not None:
            fields["ret"] = ret
        if fields == self._last and self._same >= ONE_BY_ONE:
            self._owed += 1
            if self._owed == AT_MOST_OWED:
                self.flush()
            return
        self._same = self._same + 1 if fields == self._last else 1
        self._emit("call", **fields)
        self._last = fields

    def flush(self) -> None:
        """Write what repeats are still owed: one record like the last, with how many more there were."""
        if self._owed and self._last is not None:
            owed, self._owed = self._owed, 0
            self._write("call", **self._last, repeats=owed)

    def _emit(self, event: str, /, **fields: Any) -> None:
        self.flush()
        self._last = None
        self._write(event, **fields)

    def _write(self, event: str, /, **fields: Any) -> None:
        self._log.emit(event, **fields)
        self.full = self._most is not None and self._log.size > self._most

    def _count(self, name: str, word: str, verdict: Verdict) -> None:
        self.supervised += 1
        if name not in self.counts and len(self.counts) >= MOST_NAMES:
            name = OTHER_NAMES
        per_call = self.counts.setdefault(name, {})
        per_call[word] = per_call.get(word, 0) + 1
        if isinstance(verdict, Refuse):
            self.refused += 1
            key = (name, verdict.rule, verdict.errno)
            self.refusals[key] = self.refusals.pop(key, 0) + 1

    def path_refused(self, fields: dict[str, Any], refusal: Refusal | None, error: int) -> None:
        """The kernel refused a call: its record once more, with the path it wanted and what would allow it.
        None: `[files]` does not tell why, and no hint is made of it."""
        rule, errno_ = f"files.{refusal.right}" if refusal else UNEXPLAINED, -error
        self.refused += 1
        per_call = self.counts.setdefault(fields["call"], {})
        per_call["refuse"] = per_call.get("refuse", 0) + 1
        fields |= {"verdict": "refuse", "errno": errnos.errno_name(errno_), "rule": rule}
        if refusal:
            self.refusals[fields["call"], rule, errno_] = 1
            fields |= self.named((fields["call"], rule, errno_), refusal)
        self.call(fields)

    def named(self, refused: tuple[str, str, int], refusal: Refusal) -> dict[str, str]:
        """The fields that name a path; of what was refused so, the options that allow the last are kept."""
        self.options[refused] = refusal.allow
        return {"path": refusal.path} | ({"allow": refusal.allow} if refusal.allow else {})

    def child(self, task: Task | None, born: Born, parent: Registers | None, child: Registers | None) -> None:
        """A task was made. The registers are those each side goes on with: the kernel writes the parent's
        rax (the child's pid) only after the stop at which the others are read."""
        request = born.request.flags
        kind = "thread" if request & CLONE_THREAD else "spawn" if request & CLONE_VFORK else "fork"
        self._emit(
            "child",
            pid=task.tgid if task else born.parent,
            child=born.child,
            kind=kind,
            flags=flags.format("clone", request),
            parent_regs=_shown(parent, born.child),
            child_regs=_shown(child),
        )

    def block(self, parent: Task, child: int) -> None:
        """The parent waits for the child's exec or end."""
        parent.blocked_since = time.monotonic_ns()
        self._emit("vfork-block", pid=parent.tgid, child=child)

    def release(self, parent: Task, order: Release) -> None:
        """The parent's wait is over."""
        blocked = time.monotonic_ns() - parent.blocked_since
        self._emit("vfork-release", pid=parent.tgid, child=order.child, cause=order.cause, blocked_ns=blocked)

    def exec(self, task: Task, path: str, argv: list[str], elf: dict[str, Any] | None) -> None:
        """A new image is in place; none of it ran."""
        self._emit("exec", pid=task.tgid, path=path, argv=argv, elf=elf)

    def signal(self, task: Task, signo: int, sender: int | None) -> None:
        """A signal is about to be delivered."""
        if self._log.active:
            name = flags.signal_name(signo)
            self._emit(
                "signal", pid=task.tgid, signal=name, **{"from": "kernel" if sender is None else sender}
            )

    def exit(self, task: Task, stop: Exited | Killed) -> None:
        """A task is gone."""
        if not self._log.active:
            return
        fields: dict[str, Any] = {"pid": task.tgid}
        if task.tid != task.tgid:
            fields["tid"] = task.tid
        if isinstance(stop, Exited):
            fields["code"] = stop.code
        else:
            fields["signal"] = flags.signal_name(stop.signo)
        usage = {"cpu_s": stop.cpu_us / 1e6, "max_rss_bytes": stop.maxrss_kb * 1024}
        self._emit("exit", **fields, usage=usage)

    def limit(self, which: str, value: float) -> None:
        """A limit of the run was reached."""
        self._emit("limit", which=which, value=value)
