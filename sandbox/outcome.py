"""Results as values: a `Verdict` for one call, an `Outcome` for one run.

Verdicts are NamedTuples because thousands are made a second; compare them with `match`, not `==`
across types.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple


class Write(NamedTuple):
    """Bytes the supervisor stores in guest memory as part of an answer."""

    address: int
    data: bytes


class Deed(NamedTuple):
    """A change of a file's mode, owner or times that the supervisor makes for a guest.

    `path` is relative to descriptor `dirfd` of the guest (-100: its working directory); None is `dirfd`
    itself, also where it was opened with O_PATH if `any_kind`. `follow`: a link at the end is followed.
    `values`: the mode; (uid, gid); or seconds and nanoseconds of access and of modification, as utimensat(2)
    takes them.
    """

    kind: Literal["mode", "owner", "times"]
    dirfd: int
    path: bytes | None
    follow: bool = True
    values: tuple[int, ...] = ()
    any_kind: bool = False


class Allow(NamedTuple):
    """Let the call run. `watch` also records its result."""

    rule: str
    watch: bool = False


class Refuse(NamedTuple):
    """Do not run the call; the guest sees `-errno`. `recorded` is False where the filter answers alone."""

    errno: int
    rule: str
    recorded: bool = True


class Return(NamedTuple):
    """Do not run the call; the guest sees `value`, after `writes` were stored in its memory and each of
    `signals`, (pid, signal), was sent on its behalf. With a `deed`, `value` is for its success."""

    value: int
    rule: str
    writes: tuple[Write, ...] = ()
    recorded: bool = True
    signals: tuple[tuple[int, int], ...] = ()
    deed: Deed | None = None


class Rewrite(NamedTuple):
    """Run the call with other arguments, (index, value) each, and put the guest's own back afterwards."""

    args: tuple[tuple[int, int], ...]
    rule: str


class Kill(NamedTuple):
    """End the guest process as the kernel's SECCOMP_RET_KILL_PROCESS would: SIGSYS."""

    rule: str
    reason: str = ""


class Emulate(NamedTuple):
    """A policy's wish for one of the supervisor's named emulations, which turns it into a Verdict."""

    name: str
    rule: str


Verdict = Allow | Refuse | Return | Rewrite | Kill
Decision = Verdict | Emulate

Status = Literal["ok", "exited", "signaled", "violation", "limit", "setup-error", "internal-error"]


class Usage(NamedTuple):
    """What a run used. Times in seconds, memory in bytes: `max_rss_bytes` of the largest single process,
    `memory_peak_bytes` of all together by their cgroup's account, None where there was none."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    max_rss_bytes: int = 0
    processes: int = 0
    calls_supervised: int = 0
    calls_refused: int = 0
    memory_peak_bytes: int | None = None


class Outcome(NamedTuple):
    """How a run ended. `stdout` and `stderr` are bytes where `sandbox.run` captured them."""

    status: Status
    reason: str
    exit_code: int | None = None
    signal: str | None = None
    rule: str | None = None
    usage: Usage = Usage()
    enforcement: dict[str, str] = {}
    waivers: tuple[str, ...] = ()
    stdout: bytes | None = None
    stderr: bytes | None = None

    def as_dict(self) -> dict[str, Any]:
        """The outcome object of the contract, ready for JSON (captured output is not part of it)."""
        return {
            "status": self.status,
            "reason": self.reason,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "rule": self.rule,
            "usage": self.usage._asdict(),
            "enforcement": dict(self.enforcement),
            "waivers": list(self.waivers),
        }
