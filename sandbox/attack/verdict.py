"""What the end of an attack means. Pure: facts in, verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

State = Literal["contained", "ESCAPED", "error"]
NativeState = Literal["works", "cannot", "fails"]
_CANNOT = 77


class Verdict(NamedTuple):
    """How one attack ended under one policy: for `contained`, by what; and in words."""

    state: State
    how: str
    detail: str


class Native(NamedTuple):
    """Whether the attack shows itself without the sandbox; `cannot` where this machine doesn't let it."""

    state: NativeState
    detail: str


class Run(NamedTuple):
    """A finished run under a policy, as its caller saw it; `outcome` is empty where there is none."""

    status: int
    output: str
    errors: str
    outcome: dict[str, Any]


def of_run(run: Run, allowed: frozenset[str], evidence: Sequence[str]) -> Verdict:
    """The verdict on a run. `evidence` of harm, seen from outside, outweighs whatever the program says.

    `allowed` is how the program may end besides by seeing a refusal. A limit counts only where that is
    what it is about: elsewhere it means that the program hung.
    """
    last = _last_line(run.output) or _last_line(run.errors)
    said = [_line_with("ESCAPED", run.output)] if "ESCAPED" in run.output else []
    if said or evidence:
        return Verdict("ESCAPED", "", "; ".join([*said, *evidence]))
    status = run.outcome.get("status")
    reason = str(run.outcome.get("reason", ""))
    if status == "ok" and run.status == 0:
        return Verdict("contained", "errno", last)
    if status == "violation":
        return Verdict("contained", "killed", reason)
    if status == "limit" and "limit" in allowed:
        return Verdict("contained", "limit", reason)
    return Verdict("error", "", f"status {run.status}, {status or 'no outcome'}: {reason or last}")


def of_native(status: int | None, output: str, errors: str, *, seen: bool = True) -> Native:
    """Whether a native run showed the attack; `status` None means that it did not end, `seen` whether what it
    did to others was there when we looked."""
    last = _last_line(output) or _last_line(errors)
    if status == 0 and "works natively" in output:
        return Native("works", last) if seen else Native("fails", f"it did nothing that we see: {last}")
    if status == _CANNOT:
        return Native("cannot", last or "no reason given")
    return Native("fails", f"{'no end' if status is None else f'status {status}'}: {last}")


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def _line_with(word: str, text: str) -> str:
    return next(line for line in text.splitlines() if word in line)
