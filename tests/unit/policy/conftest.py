"""What a policy answers, as short text: how the tests of the shipped policies read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sandbox.outcome import Allow, Decision, Kill, Refuse, Rewrite
from sandbox.policy.model import Policy, RewriteSpec
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, Call
from sandbox.syscalls.errnos import errno_name


def show(decision: Decision) -> str:
    """ "allow", "ERRNO rule", "(quiet) ERRNO rule" or "{index: value} rule"; all else as Python shows it."""
    match decision:
        case Allow():
            return "allow"
        case Refuse(errno, rule, recorded):
            return f"{'' if recorded else '(quiet) '}{errno_name(errno)} {rule}"
        case Rewrite(args, rule):
            return f"{dict(args)} {rule}"
        case other:
            return repr(other)


@pytest.fixture
def decision_of() -> Callable[..., str]:
    """What a policy answers to a call by name (or number) with these arguments; the others are 0."""

    def answered(policy: Policy, call: str | int, *args: int) -> str:
        nr = table.number(call) if isinstance(call, str) else call
        assert nr is not None
        a, b, c, d, e, f = (*(arg & MASK64 for arg in args), *(0,) * (6 - len(args)))
        return show(policy.decide(Call(nr, (a, b, c, d, e, f))))

    return answered


def answers(policy: Policy, nr: int) -> list[Decision | RewriteSpec]:
    """What a policy may answer to a call, whatever its arguments."""
    found: list[Decision | RewriteSpec] = []
    for rule in policy.rules.get(nr, ()):
        found.append(rule.action)
        if not rule.when and not rule.unless:
            return found
    return [*found, policy.calls.get(nr, policy.unlisted)]


@pytest.fixture
def runnable() -> Callable[[Policy], set[str]]:
    """The names of all calls that some arguments may let run or have answered."""

    def named(policy: Policy) -> set[str]:
        numbers = {*range(1024), *policy.rules, *policy.calls}
        return {
            table.name(nr)
            for nr in numbers
            if not all(isinstance(one, Refuse | Kill) for one in answers(policy, nr))
        }

    return named
