"""A policy tried by what it says itself: probes derived from its rules, run on this kernel, and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sandbox.conformance import compare, harmless
from sandbox.conformance.derive import Derived, derive
from sandbox.conformance.probe import Result
from sandbox.conformance.run import Vfork, run_probes
from sandbox.errors import UsageError
from sandbox.outcome import Allow, Kill
from sandbox.policy.load import load
from sandbox.policy.model import Policy
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, Call

_BUFFER = 0x40_0000
_INPUT, _REPORTS = (1 << 20, 4 << 20), (100, 1 << 15)
"""Bytes the prober reads, and writes, at a time: between these."""
_WAITED = ((1000, 0, 0, 0, 0, 0), (MASK64, 0, 0x4000_0001, 0, 0, 0))
"""How it waits for its child, and asks for any."""


UNMARKED = "which calls leave a record at --audit-level decisions is not tried: none can mark them in the log"


class Checked(NamedTuple):
    """A derived probe, what it met, and how that is not as the policy says ('' where it is)."""

    derived: Derived
    result: Result
    problem: str = ""


class Conformance(NamedTuple):
    """All probes of a policy: those that ran, in order, those that were skipped, and what else to know."""

    policy: str
    checked: tuple[Checked, ...]
    skipped: tuple[Derived, ...]
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[Checked, ...]:
        """The probes that met something else than the policy says."""
        return tuple(one for one in self.checked if one.problem)


def conform(policy: str, *, vfork: Vfork | None = None) -> Conformance:
    """Try a policy (a shipped name or a file) by probes derived from it.

    Raises PolicyError, SetupError (the sandbox cannot run here), and UsageError where the policy refuses what
    the prober itself needs.
    """
    loaded = load(policy)
    check_probeable(loaded)
    derivation = derive(loaded)
    tried = [one for one in derivation.probes if not one.skip]
    usual = run_probes(policy, [compare.as_probe(one) for one in tried], vfork=vfork)
    # What kills may cost a process each time, and says no more when every call is recorded.
    lives = [one for one in tried if not isinstance(one.verdict, Kill)]
    results = run_probes(policy, [compare.as_probe(one) for one in lives], vfork=vfork, level="all")
    recorded = dict(zip(lives, results, strict=True))
    # Without a call that marks the probes in the log, an ordinary run's records belong to none.
    marked = any(result.records for result in usual)
    checked = tuple(
        Checked(one, seen, _problem(one, seen, recorded.get(one), marked=marked))
        for one, seen in zip(tried, usual, strict=True)
    )
    skipped = tuple(one for one in derivation.probes if one.skip)
    unmarked = () if marked else (UNMARKED,)
    return Conformance(loaded.name, checked, skipped, (*derivation.notes, *unmarked))


def _problem(derived: Derived, usual: Result, recorded: Result | None, *, marked: bool) -> str:
    lost = usual.lost or (recorded.lost if recorded else "")
    return lost or compare.problem(derived, usual, recorded, marked=marked)


def check_probeable(policy: Policy) -> None:
    """Raises UsageError where the policy does not let run what the prober cannot do without."""
    for name, sized in (("read", _INPUT), ("write", _REPORTS)):
        for size in _sizes(policy, name, sized):
            _need(policy, name, (int(name == "write"), _BUFFER, size, 0, 0, 0), f" of {size} bytes")
    _need(policy, "exit_group", (0, 0, 0, 0, 0, 0))
    for args in _WAITED:
        decision = policy.decide(Call(table.NUMBERS["wait4"], args))
        if isinstance(decision, Kill):
            raise UsageError(_cannot(policy, "wait4", decision.rule, "kills it for it"))


def _need(policy: Policy, name: str, args: harmless.Args, what: str = "") -> None:
    decision = policy.decide(Call(table.NUMBERS[name], args))
    if not isinstance(decision, Allow):
        raise UsageError(_cannot(policy, name + what, decision.rule, "does not let it run"))


def _cannot(policy: Policy, name: str, rule: str, does: str) -> str:
    return f"cannot probe {policy.name}: the prober needs {name}, and rule {rule} {does}"


def _sizes(policy: Policy, name: str, sized: tuple[int, int]) -> list[int]:
    """The sizes at which a rule on the third argument may begin to decide otherwise."""
    first, last = sized
    rules = policy.rules.get(table.NUMBERS[name], ())
    tests = [test for rule in rules for test in (*rule.when, *rule.unless) if test.index == 2]
    edges = {value + step for test in tests for value in test.values for step in (-1, 0, 1)}
    return [first, *sorted(edge for edge in edges if first < edge < last), last]


def reasons(skipped: Sequence[Derived]) -> list[tuple[str, list[str], int]]:
    """Why probes were skipped: each reason with the names of its calls and the number of its probes."""
    counts = Counter(one.skip for one in skipped)
    return [
        (reason, sorted({table.name(one.call.nr) for one in skipped if one.skip == reason}), count)
        for reason, count in counts.items()
    ]
