"""A policy tried by what it says itself: probes derived from its rules, run on this kernel, and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sandbox.conformance import compare
from sandbox.conformance.derive import Derived, derive
from sandbox.conformance.probe import Result
from sandbox.conformance.run import Vfork, run_probes
from sandbox.errors import UsageError
from sandbox.outcome import Allow, Kill
from sandbox.policy.load import load
from sandbox.policy.model import Policy
from sandbox.syscalls import table
from sandbox.syscalls.call import Call

_BUFFER = 0x40_0000
_NEEDED = (
    ("read", (0, _BUFFER, 4 << 20)),
    ("write", (1, _BUFFER, 100)),
    ("exit_group", (0, 0, 0)),
)
"""What the prober cannot do without: to be told, to tell, and to end."""


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
        Checked(one, seen, compare.problem(one, seen, recorded.get(one), marked=marked))
        for one, seen in zip(tried, usual, strict=True)
    )
    skipped = tuple(one for one in derivation.probes if one.skip)
    return Conformance(loaded.name, checked, skipped, derivation.notes)


def check_probeable(policy: Policy) -> None:
    """Raises UsageError where the policy does not let run what the prober cannot do without."""
    for name, (first, second, third) in _NEEDED:
        decision = policy.decide(Call(table.NUMBERS[name], (first, second, third, 0, 0, 0)))
        if not isinstance(decision, Allow):
            why = f"the prober needs {name}, and rule {decision.rule} does not let it run"
            raise UsageError(f"cannot probe {policy.name}: {why}")


def reasons(skipped: Sequence[Derived]) -> list[tuple[str, list[str], int]]:
    """Why probes were skipped: each reason with the names of its calls and the number of its probes."""
    counts = Counter(one.skip for one in skipped)
    return [
        (reason, sorted({table.name(one.call.nr) for one in skipped if one.skip == reason}), count)
        for reason, count in counts.items()
    ]
