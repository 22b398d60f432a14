"""Running probes: under a policy by the command line, as a user would, or natively; and what the log says.

One process makes many probes. Where one ends it, that is the probe's result, and another process goes on
with the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from sandbox.attack.intake import Intake, intake
from sandbox.audit import reader
from sandbox.audit.records import CallRecord, typed
from sandbox.conformance import execute, marker, wire
from sandbox.conformance.ground import Ground, find_prober
from sandbox.conformance.marker import Level
from sandbox.conformance.probe import Probe, Result
from sandbox.conformance.wire import Marker
from sandbox.errors import SetupError, UsageError
from sandbox.outcome import Allow
from sandbox.policy.load import load
from sandbox.policy.model import Policy
from sandbox.policy.reading import from_anywhere
from sandbox.syscalls.call import MASK64, Call

Vfork = Literal["emulate", "kernel"]

WALL = 10.0
"""Seconds one process of probes may take, whatever the policy's own limit."""
LOST = "its report is lost: what it does to descriptor 1 keeps the prober from telling what came of it"
_PATIENCE = 60.0  # seconds on top of it until the supervisor itself is taken to hang
_BATCH = 500
_CLONE, _WAIT4, _EXIT_GROUP = 56, 61, 231
_CLONE_FLAGS = 0x4111
_STATUSES = (113, 114)
_FAILED = 1  # guests/lib/expect.h: the prober's own status after FAIL
_ROOM: dict[str, int] = {"cpu": 60, "memory": 1 << 28, "output": 1 << 28, "audit-size": 1 << 29}
_WNOHANG_WALL = 0x4000_0001


class _Ended(NamedTuple):
    """How a process of probes ended: its reports, and what its end says of the probe it was at, if any."""

    reports: list[tuple[int, Result]]
    end: Result
    records: list[dict[str, Any]]


class _Told(NamedTuple):
    """Results by index, and that of the probe at which the process ended, if it did; with records."""

    results: dict[int, Result]
    end: Result


def run_probes(
    policy: str,
    probes: Sequence[Probe],
    *,
    vfork: Vfork | None = None,
    level: Level = "decisions",
    wall: float = WALL,
    options: Sequence[str] = (),
) -> list[Result]:
    """Make every probe under a policy (a shipped name or a file); the results in the same order.

    `vfork` None leaves it to the policy. At level "decisions" a result has a record where the supervisor
    decides; at "all" wherever the call did not end in the kernel's filter. `options` are more words for
    run-untrusted-binary. Probes that should be isolated run each in a run of their own where the policy has
    no 0x4111 clone. Raises PolicyError, UsageError (a probe that cannot be told to the prober), SetupError
    (the sandbox could not run, or failed).
    """
    loaded = load(policy)
    words = ["-q", "-p", from_anywhere(policy), "--audit-level", level, *_loosened(loaded, wall), *options]
    if vfork is not None:
        words += ["--vfork", vfork]
    chosen = marker.choose(loaded, level, len(probes) + 1)
    with Ground() as ground:
        supervised = _Supervised(ground, words, chosen, wall, _statuses(loaded))
        results = _run_all(supervised, probes, can_isolate=_can_isolate(loaded))
        return results if _asks_for_children(loaded) else [_without_children(one) for one in results]


def run_native(probes: Sequence[Probe], *, wall: float = WALL) -> list[Result]:
    """Make every probe without a sandbox. The caller answers for what they do. Raises SetupError."""
    with Ground() as ground:
        return _run_all(_Native(ground, wall), probes, can_isolate=True)


def _run_all(place: _Supervised | _Native, probes: Sequence[Probe], *, can_isolate: bool) -> list[Result]:
    results: dict[int, Result] = {}
    alone = [index for index, probe in enumerate(probes) if probe.isolate and not can_isolate]
    together = sorted(set(range(len(probes))) - set(alone))
    encoded = [_encoded(at, probe, can_isolate=can_isolate) for at, probe in enumerate(probes)]
    for batch in [*_batches(together, encoded), *([index] for index in alone)]:
        _run_batch(place, batch, encoded, results)
    results = {index: _recorded(result, probes[index].nr) for index, result in results.items()}
    return [results[index] for index in range(len(probes))]


def _encoded(index: int, probe: Probe, *, can_isolate: bool) -> bytes:
    try:
        return wire.encode(index, probe, isolate=probe.isolate and can_isolate)
    except UsageError as error:
        raise UsageError(f"{probe.name}: {error}" if probe.name else str(error)) from None


def _batches(indices: Sequence[int], encoded: Sequence[bytes]) -> list[list[int]]:
    """As few batches as fit the prober's memory and its wall limit."""
    batches: list[list[int]] = []
    size = 0
    for index in indices:
        size += len(encoded[index])
        if not batches or len(batches[-1]) == _BATCH or size > wire.INPUT_SIZE - 4096:
            batches.append([])
            size = len(encoded[index])
        batches[-1].append(index)
    return batches


def _run_batch(
    place: _Supervised | _Native, batch: Sequence[int], encoded: Sequence[bytes], results: dict[int, Result]
) -> None:
    left = list(batch)
    while left:
        ended = _run_some(place, left, encoded, place.statuses[0])
        told = len(ended.results)
        results |= ended.results
        left = left[told:]
        # A process that only ran out of time on the way to this probe gets another try, from here.
        if left and not (ended.end.hung and told):
            doubtful = ended.end.lost or ended.end.exited == place.statuses[0]
            results[left[0]] = _alone(place, left[0], encoded) if doubtful else ended.end
            left = left[1:]


def _run_some(
    place: _Supervised | _Native, some: Sequence[int], encoded: Sequence[bytes], status: int
) -> _Told:
    """One process. Its last probe makes it exit with `status`, by which one is known that came to its end."""
    last = wire.encode(len(encoded), Probe(_EXIT_GROUP, (status,)), isolate=False)
    ended = place.run(b"".join(encoded[index] for index in some) + last)
    found = marker.intervals(ended.records, place.marker, len(encoded) + 1)
    told = _in_order(some, ended.reports)
    at = some[len(told)] if len(told) < len(some) else -1
    return _Told(
        {index: one._replace(records=tuple(found.get(index, ()))) for index, one in told.items()},
        ended.end._replace(records=tuple(found.get(at, ()))),
    )


def _in_order(some: Sequence[int], reports: Sequence[tuple[int, Result]]) -> dict[int, Result]:
    """The reports up to where they are no longer those of the probes: there, a probe wrote one itself."""
    wrong = next((at for at, (index, _) in enumerate(reports) if some[at : at + 1] != [index]), None)
    return dict(reports if wrong is None else reports[: max(0, wrong - 1)])


def _alone(place: _Supervised | _Native, index: int, encoded: Sequence[bytes]) -> Result:
    """What came of a probe after which the prober may have gone on: is the end its own, also alone?"""
    ended = _run_some(place, [index], encoded, place.statuses[1])
    if index in ended.results:
        return ended.results[index]
    return Result(lost=LOST) if ended.end.exited == place.statuses[1] else ended.end


class _Supervised:
    """The prober in the sandbox. `statuses`: two with which it may exit, other than most probes do."""

    def __init__(
        self, ground: Ground, words: list[str], marker: Marker, wall: float, statuses: tuple[int, int]
    ) -> None:
        self.ground, self.words, self.marker, self.wall = ground, words, marker, wall
        self.statuses = statuses

    def run(self, probes: bytes) -> _Ended:
        """One process. Raises SetupError where the sandbox failed."""
        try:
            with intake() as log, intake() as told:
                ended = self._make(probes, log, told)
                outcome, records = _outcome(told), _records(log)
        except OSError as error:
            raise SetupError(f"cannot take what the sandbox tells: {error}") from error
        if outcome.get("status") in (None, "setup-error", "internal-error"):
            reason = outcome.get("reason") or ended.err.decode(errors="backslashreplace")
            lines = "; ".join(line.strip() for line in reason.splitlines() if line.strip())
            raise SetupError(f"the prober cannot be run: {lines or 'the sandbox ended without an outcome'}")
        return _Ended(_reports(ended.out), _end({**outcome, **_own_exit(records)}, ended.err), records)

    def _make(self, probes: bytes, log: Intake, told: Intake) -> execute.Ended:
        ground = self.ground
        words = [
            *self.words, "--cwd", ".",
            "--outcome", told.path, "--audit", log.path, "--", ground.prober,
        ]  # fmt: skip
        data = wire.header(self.marker) + probes
        kept = (log.fd, told.fd)
        return execute.supervised(words, data, self.wall + _PATIENCE, ground.work_here, kept)


class _Native:
    """The prober without a sandbox."""

    marker = Marker()
    statuses = _STATUSES

    def __init__(self, ground: Ground, wall: float) -> None:
        self.ground, self.wall = ground, wall

    def run(self, probes: bytes) -> _Ended:
        """One process. Raises SetupError where there can be none."""
        data = wire.header(self.marker) + probes
        status, out, err = execute.natively([find_prober()], data, self.wall, self.ground.work_here)
        if status is None:
            return _Ended(_reports(out), Result(hung=True), [])
        died = wire.signal_name(-status) if status < 0 else None
        outcome = {"exit_code": None if died else status, "signal": died}
        return _Ended(_reports(out), _end(outcome, err), [])


def _end(outcome: Mapping[str, Any], err: bytes) -> Result:
    """What the end of its process says of the probe it was at."""
    if outcome.get("status") == "limit":
        wall = outcome["rule"] == "limits.wall"
        return Result(hung=True) if wall else Result(lost=f"it ended the run: {outcome['reason']}")
    if outcome["signal"] is not None:
        return Result(died=outcome["signal"])
    last = err.rstrip(b"\n").rpartition(b"\n")[2]
    if outcome["exit_code"] == _FAILED and last.startswith(b"FAIL: "):
        return Result(lost=f"the prober cannot go on: {last[6:].decode(errors='backslashreplace')}")
    return Result(exited=outcome["exit_code"])


def _own_exit(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How the prober itself ended. The outcome tells of a violation, also where a child was killed for it."""
    main = next((record["pid"] for record in records if "pid" in record), None)
    for record in records:
        if record["event"] == "exit" and record["pid"] == main:
            return {"exit_code": record.get("code"), "signal": record.get("signal")}
    return {}


def _reports(out: bytes) -> list[tuple[int, Result]]:
    """All up to one that is damaged, which is what a probe makes of it that writes to descriptor 1."""
    reports: list[tuple[int, Result]] = []
    try:
        reports.extend(wire.decode(out))
    except ValueError:
        pass
    return reports


def _outcome(told: Intake) -> dict[str, Any]:
    try:
        outcome: dict[str, Any] = json.load(told.content())
    except ValueError:
        return {}
    return outcome


def _records(log: Intake) -> list[dict[str, Any]]:
    return [line.record for line in reader.scan(log.content()) if line.record is not None]


def _can_isolate(policy: Policy) -> bool:
    if policy.process.max == 1:
        return False
    decision = policy.decide(Call(_CLONE, (_CLONE_FLAGS, 1 << 40, 0, 0, 0, 0)))
    return isinstance(decision, Allow) and isinstance(
        policy.decide(Call(_WAIT4, (1000, 0, 0, 0, 0, 0))), Allow
    )


def _asks_for_children(policy: Policy) -> bool:
    """Whether it is the kernel that answers when the prober asks for any child."""
    return isinstance(policy.decide(Call(_WAIT4, (MASK64, 0, _WNOHANG_WALL, 0, 0, 0))), Allow)


def _without_children(result: Result) -> Result:
    steps = tuple(tuple(step._replace(childless=None) for step in level) for level in result.steps)
    return result._replace(steps=steps)


def _statuses(policy: Policy) -> tuple[int, int]:
    """Two statuses with which the policy lets exit_group end a process; the same one where there are not."""
    let = [
        status
        for status in (*_STATUSES, *range(256))
        if isinstance(policy.decide(Call(_EXIT_GROUP, (status, 0, 0, 0, 0, 0))), Allow)
    ]
    return (let[0], let[1]) if len(let) > 1 else (0, 0)


def _loosened(policy: Policy, wall: float) -> list[str]:
    """Options under which the prober's own needs do not pass the policy's limits."""
    words = ["--timeout", f"{wall:g}"]
    for name, value in {"wall": wall, **_ROOM}.items():
        own = getattr(policy.limits, name.replace("-", "_"))
        if own is not None and own < value:
            words += ["--waive", f"{name}=the prober needs more"]
            words += [] if name == "wall" else [f"--{name}", f"{value:g}" if name == "cpu" else str(value)]
    return words


def _recorded(result: Result, nr: int) -> Result:
    """Without the marker's record, and with the judged call's: the next call of the marker's task."""
    if not result.records:
        return result
    tid = result.records[0]["tid"]
    own = (one for one in result.records[1:] if one["event"] == "call" and one["tid"] == tid)
    first = next(own, None)
    is_judged = first is not None and first["nr"] == nr & 0xFFFF_FFFF
    call = typed(first) if first is not None and is_judged else None
    return result._replace(record=call if isinstance(call, CallRecord) else None, records=result.records[1:])
