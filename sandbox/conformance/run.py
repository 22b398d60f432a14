"""Running probes: under a policy by the command line, as a user would, or natively; and what the log says.

One process makes many probes. Where one ends it, that is the probe's result, and another process goes on
with the next.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from sandbox.audit import reader
from sandbox.audit.records import CallRecord, typed
from sandbox.conformance import wire
from sandbox.conformance.ground import Ground
from sandbox.conformance.probe import Probe, Result
from sandbox.conformance.wire import Marker
from sandbox.errors import SetupError, UsageError
from sandbox.outcome import Allow, Refuse
from sandbox.policy.load import load
from sandbox.policy.model import Policy
from sandbox.policy.reading import from_anywhere
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, Call

Vfork = Literal["emulate", "kernel"]
Level = Literal["decisions", "all"]

WALL = 10.0
"""Seconds one process of probes may take; a policy's own limit may be tighter."""
_PATIENCE = 60.0  # seconds on top of it until the supervisor itself is taken to hang
_BATCH = 500
_COMMAND = "import sys; sys.path[:0] = [{root!r}]; from sandbox.cli.run import main; sys.exit(main())"
_MARK_AT = 0x5000_0000_0000
_WRITE, _CLONE, _WAIT4, _NOBODYS = 1, 56, 61, 499
_CLONE_FLAGS = 0x4111
_WNOHANG_WALL = 0x4000_0001


class _Ended(NamedTuple):
    """How a process of probes ended: its reports, and what its end says of the probe it was at, if any."""

    reports: dict[int, Result]
    end: Result
    records: list[dict[str, Any]]


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
    marker = _marker(loaded, level)
    wall = min(wall, loaded.limits.wall or wall)
    words = ["-q", "-p", from_anywhere(policy), "--audit-level", level, "--timeout", f"{wall:g}", *options]
    if vfork is not None:
        words += ["--vfork", vfork]
    with Ground() as ground:
        supervised = _Supervised(ground, words, marker, wall)
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
        ended = place.run(b"".join(encoded[index] for index in left))
        told = _with_records(ended, place.marker)
        done = [index for index in left if index in told]
        results.update((index, told[index]) for index in done)
        left = left[len(done) :]
        # A process that only ran out of time on the way to this probe gets another try, from here.
        if left and not (ended.end.hung and done):
            records = _intervals(ended.records, place.marker).get(left[0], ())
            results[left[0]] = ended.end._replace(records=tuple(records))
            left = left[1:]


class _Supervised:
    """The prober in the sandbox."""

    def __init__(self, ground: Ground, words: list[str], marker: Marker, wall: float) -> None:
        self.ground, self.words, self.marker, self.wall = ground, words, marker, wall

    def run(self, probes: bytes) -> _Ended:
        """One process. Raises SetupError where the sandbox failed."""
        ground = self.ground
        _remove(ground.log, ground.outcome)
        command = [
            *_command(), *self.words, "--cwd", ground.work,
            "--outcome", ground.outcome, "--audit", ground.log, "--", ground.prober,
        ]  # fmt: skip
        _, out, err = _output(command, wire.header(self.marker) + probes, self.wall + _PATIENCE, ground.work)
        outcome = _outcome(ground.outcome)
        if outcome.get("status") in (None, "setup-error", "internal-error"):
            reason = outcome.get("reason") or err.decode(errors="backslashreplace").strip()
            raise SetupError(f"the prober cannot be run: {reason or 'the sandbox ended without an outcome'}")
        records = _records(ground.log)
        return _Ended(_reports(out), _end({**outcome, **_own_exit(records)}, err), records)


class _Native:
    """The prober without a sandbox."""

    marker = Marker()

    def __init__(self, ground: Ground, wall: float) -> None:
        self.ground, self.wall = ground, wall

    def run(self, probes: bytes) -> _Ended:
        """One process. Raises SetupError where the prober finds its input wrong."""
        status, out, err = _output(
            [self.ground.prober], wire.header(self.marker) + probes, self.wall, self.ground.work
        )
        if status is None:
            return _Ended(_reports(out), Result(hung=True), [])
        died = wire.signal_name(-status) if status < 0 else None
        outcome = {"exit_code": None if died else status, "signal": died}
        return _Ended(_reports(out), _end(outcome, err), [])


def _end(outcome: Mapping[str, Any], err: bytes) -> Result:
    """What the end of its process says of the probe it was at. Raises SetupError if the prober says why."""
    if b"FAIL: " in err:
        raise SetupError(f"the prober: {err.decode(errors='backslashreplace').strip()}")
    if outcome.get("status") == "limit":
        return Result(hung=True)
    if outcome["signal"] is not None:
        return Result(died=outcome["signal"])
    # 0 is also how it ends when every probe is made: whoever has probes left decides.
    return Result(exited=outcome["exit_code"])


def _own_exit(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How the prober itself ended. The outcome tells of a violation, also where a child was killed for it."""
    main = next((record["pid"] for record in records if "pid" in record), None)
    for record in records:
        if record["event"] == "exit" and record["pid"] == main:
            return {"exit_code": record.get("code"), "signal": record.get("signal")}
    return {}


def _reports(out: bytes) -> dict[int, Result]:
    try:
        return dict(wire.decode(out))
    except ValueError as error:
        raise SetupError(str(error)) from None


def _command() -> list[str]:
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return [sys.executable, "-I", "-c", _COMMAND.format(root=root)]


def _output(words: list[str], data: bytes, seconds: float, cwd: str) -> tuple[int | None, bytes, bytes]:
    """Exit status (None where it had to be killed), standard output and error. Raises SetupError."""
    try:
        process = subprocess.Popen(
            words, cwd=cwd, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:
        raise SetupError(f"cannot run the prober: {error}") from error
    with process:
        try:
            out, err = process.communicate(data, seconds)
            return process.returncode, out, err
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            return None, out, err


def _outcome(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            outcome: dict[str, Any] = json.load(stream)
    except (OSError, ValueError):
        return {}
    return outcome


def _remove(*paths: str) -> None:
    for path in paths:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass


def _records(path: str) -> list[dict[str, Any]]:
    with reader.open_log(path) as stream:
        return [line.record for line in reader.scan(stream) if line.record is not None]


def _can_isolate(policy: Policy) -> bool:
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


def _marker(policy: Policy, level: Level) -> Marker:
    """A call without effect that leaves a record under this policy; none where there is no such call."""
    writing = policy.decide(Call(_WRITE))
    if level == "all" or (isinstance(writing, Allow) and writing.watch):
        return Marker(_WRITE, (1, _MARK_AT, 0, 0, 0, 0), 1)
    for nr in (_NOBODYS, *sorted(table.NUMBERS.values())):
        decision = policy.decide(Call(nr))
        if isinstance(decision, Refuse) and decision.recorded and _is_constant(policy, nr):
            return Marker(nr, (_MARK_AT, 0, 0, 0, 0, 0), 0)
    return Marker()


def _is_constant(policy: Policy, nr: int) -> bool:
    """Whether the decision does not depend on arguments."""
    rules = policy.rules.get(nr, ())
    return not rules or not (rules[0].when or rules[0].unless)


def _marked(record: Mapping[str, Any], marker: Marker) -> int | None:
    """The index of the probe that this record of the marker announces."""
    if record["event"] != "call" or record["nr"] != marker.nr:
        return None
    values = list(record["args"].values())
    shown = values[marker.slot] if len(values) > marker.slot else ""
    number = _number(shown)
    return None if number is None or number < _MARK_AT else number - _MARK_AT


def _number(shown: object) -> int | None:
    if isinstance(shown, int):
        return shown
    try:
        return int(str(shown), 0)
    except ValueError:
        return None


def _intervals(records: Sequence[dict[str, Any]], marker: Marker) -> dict[int, list[dict[str, Any]]]:
    """The records since each probe's marker, the marker's first."""
    intervals: dict[int, list[dict[str, Any]]] = {}
    current: list[dict[str, Any]] = []
    for record in records:
        index = _marked(record, marker)
        if index is not None:
            current = intervals.setdefault(index, [])
        current.append(record)
    return intervals


def _with_records(ended: _Ended, marker: Marker) -> dict[int, Result]:
    intervals = _intervals(ended.records, marker)
    return {
        index: result._replace(records=tuple(intervals.get(index, ())))
        for index, result in ended.reports.items()
    }


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
