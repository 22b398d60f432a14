"""From a call to a verdict: the policy decides on registers, then the rule families look closer.

A family says as data which calls it wants to see; those calls stop in the supervisor whenever the policy
allows them. What it refuses by registers alone is data too. Adding a family touches these lists and nothing
else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache

from sandbox.outcome import Allow, Emulate, Refuse, Verdict
from sandbox.policy.model import Policy, Process, Rule
from sandbox.rules import clone, execve, signals, stubs
from sandbox.rules.view import GuestView
from sandbox.syscalls import table
from sandbox.syscalls.call import Call

_Judge = Callable[[Policy, Call, GuestView, Allow], Verdict]
_FAMILIES: tuple[tuple[tuple[str, ...], _Judge], ...] = (
    (clone.CALLS, clone.judge),
    (execve.CALLS, execve.judge),
    (signals.CALLS, signals.judge),
)
_JUDGES = {table.NUMBERS[name]: judge for names, judge in _FAMILIES for name in names}

_REFUSALS: tuple[Callable[[Process], tuple[Rule, ...]], ...] = (clone.refusals, signals.refusals)

SUPERVISED: frozenset[int] = frozenset(_JUDGES)
"""Numbers of calls that always stop in the supervisor where a policy lets them run."""


def family(nr: int) -> str:
    """What the family that looks at call `nr` says it is there for, one line; '' where none looks at it."""
    judge = _JUDGES.get(nr)
    return (sys.modules[judge.__module__].__doc__ or "").partition("\n")[0] if judge else ""


HINTS = {
    "process.threads": "the program wants threads, and [process] threads is false",
    "clone-untraced": "no policy allows a task that the supervisor does not see",
    "clone-namespaces": "no policy allows new namespaces",
    "clone-parent": "no policy allows CLONE_PARENT but for threads",
    "signals-outside": "the program wants to signal a process that is not its own",
    "exec-foreign": "the program wants to run a program for another machine",
}
"""What the rules that stand here say to a person, by rule id."""


def refusals(policy: Policy, nr: int) -> tuple[Rule, ...]:
    """The rules that refuse call `nr` by its registers alone though the policy allows it, in their order."""
    return _refusals(policy.process, nr)


@lru_cache(maxsize=256)
def _refusals(process: Process, nr: int) -> tuple[Rule, ...]:
    return tuple(rule for found in _REFUSALS for rule in found(process) if rule.nr == nr)


def refusal(policy: Policy, call: Call) -> Refuse | None:
    """What the first such rule that matches answers to a call that the policy allows."""
    for rule in refusals(policy, call.nr):
        if rule.matches(call):
            assert isinstance(rule.action, Refuse)
            return rule.action
    return None


def judge(policy: Policy, call: Call, view: GuestView) -> Verdict:
    """The verdict on one call. Raises OSError where guest memory that must be judged cannot be read."""
    decision = policy.decide(call)
    if isinstance(decision, Emulate):
        decision = stubs.answer(decision, call, view)
    if isinstance(decision, Allow) and call.nr in _JUDGES:
        return refusal(policy, call) or _JUDGES[call.nr](policy, call, view, decision)
    return decision
