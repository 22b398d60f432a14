"""What the end of an attack means. Pure: facts in, verdict out.

A program is believed only if its account is whole (sandbox/attack/transcript.py): every way that it declares
was announced and answered, or it says why the rest could not be tried; or it died, in the middle of a way, of
a refusal that its first comment names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from sandbox.attack.natively import reason
from sandbox.attack.transcript import CONTAINED, WORKS, Transcript, read

State = Literal["contained", "ESCAPED", "error"]
NativeState = Literal["works", "cannot", "fails"]
WayState = Literal["works", "cannot", "spared"]
_CANNOT = 77


class Verdict(NamedTuple):
    """How one attack ended under one policy: for `contained`, by what; and in words."""

    state: State
    how: str
    detail: str


class Way(NamedTuple):
    """A way without the sandbox: `cannot` for a listed reason, `spared` if it would do harm."""

    name: str
    state: WayState
    reason: str


class Native(NamedTuple):
    """Whether the attack shows itself without the sandbox, way by way; `cannot` if this machine lets none be
    shown, for reasons that are listed."""

    state: NativeState
    detail: str
    ways: tuple[Way, ...] = ()


class Run(NamedTuple):
    """A finished run under a policy, as its caller saw it; `outcome` is empty if there is none."""

    status: int
    output: str
    errors: str
    outcome: dict[str, Any]


def of_run(run: Run, allowed: frozenset[str], evidence: Sequence[str], *, ways: int) -> Verdict:
    """The verdict on a run of a program that declares so many `ways`. `evidence` of harm, seen from outside,
    outweighs whatever the program says.

    `allowed` is how the program may end besides by seeing a refusal. A limit counts only if that is
    what it is about: elsewhere it means that the program hung.
    """
    last = _last_line(run.output) or _last_line(run.errors)
    said = [_line_with("ESCAPED", run.output)] if "ESCAPED" in run.output else []
    if said or evidence:
        return Verdict("ESCAPED", "", "; ".join([*said, *evidence]))
    status = run.outcome.get("status")
    reason = str(run.outcome.get("reason", ""))
    account = read(run.output)
    if status == "ok" and run.status == 0:
        return _of_account(account, ways, last)
    for end, how in (("violation", "killed"), ("limit", "limit")):
        if status == end and how in allowed:
            return _of_death(account, how, reason, ways)
    return Verdict("error", "", f"status {run.status}, {status or 'no outcome'}: {reason or last}")


def _of_account(account: Transcript, ways: int, last: str) -> Verdict:
    if not account.last.startswith(CONTAINED):
        return Verdict("error", "", f"it ended well without a verdict of its own: {last}")
    if fault := account.fault(ways):
        return Verdict("error", "", fault)
    return Verdict("contained", "errno", account.last)


def _of_death(account: Transcript, how: str, reason: str, ways: int) -> Verdict:
    """Death in the middle of a way, or of a child, of which the program then gave its account."""
    if account.unanswered:
        return Verdict("contained", how, f"{reason}, at: {account.unanswered[-1]}")
    if account.last.startswith(CONTAINED) and account.fault(ways) is None:
        return Verdict("contained", how, reason)
    return Verdict("error", "", f"{reason}: not while it tried something")


def of_native(
    status: int | None, output: str, errors: str, *, ways: int, known: Mapping[str, str], seen: bool = True
) -> Native:
    """Whether a native run showed the attack, which declares so many `ways`.

    `status` None means that it did not end, `seen` whether what it did to others was there when we looked.
    `known` has the reasons of ways that cannot be shown, by pattern: any other that was not open is a fault
    of the attack.
    """
    last = _last_line(output) or _last_line(errors)
    account = read(output)
    if status not in (0, _CANNOT) or (status == 0 and WORKS not in output):
        return Native("fails", f"{'no end' if status is None else f'status {status}'}: {last}")
    if fault := account.fault(ways):
        return Native("fails", fault)
    if status == 0 and not seen:
        return Native("fails", f"it did nothing that we see: {last}")
    judged = tuple(_of_way(name, account, known) for name in account.ways)
    if unknown := [way for way in judged if not way.reason]:
        return Native(
            "fails", f"not open, and natively.toml has no reason: {_listed(unknown, account)}", judged
        )
    if account.opened:
        real = len(account.opened)
        return Native("works", f"{ways} way{'s'[: ways > 1]}, {real} of them real here", judged)
    return Native("cannot", last or "no reason given", judged)


def _of_way(name: str, account: Transcript, known: Mapping[str, str]) -> Way:
    if name in account.opened:
        return Way(name, "works", "open")
    if name in account.spared:
        return Way(name, "spared", account.spared[name])
    return Way(name, "cannot", reason(name, known) or "")


def _listed(ways: Sequence[Way], account: Transcript) -> str:
    return "; ".join(f"{way.name} ({account.ways[way.name]})" for way in ways)


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def _line_with(word: str, text: str) -> str:
    return next(line for line in text.splitlines() if word in line)
