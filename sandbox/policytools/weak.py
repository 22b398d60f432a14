"""Which weakenings a policy has: exactly, by what its rules and lists decide for the calls concerned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.outcome import Allow, Decision, Emulate
from sandbox.policy.emulations import CONFINED
from sandbox.policy.model import Condition, Policy, RewriteSpec, Rule
from sandbox.policy.weakenings import UNLISTED, WEAKENINGS, Weakening, doors
from sandbox.policytools.boxes import EVERYTHING, Box, Budget, decided, look, meeting, narrowed
from sandbox.seccomp.table import Spans, spans

# A call number and the rule that lets it run; None where `[calls]` or `unlisted` does, -1 for no one call.
Opening = tuple[int, Rule | None]


def present(policy: Policy, budget: Budget) -> dict[str, Opening]:
    """The weakenings a policy has by name, each with the first call that shows it.

    Raises TooManyCasesError where its rules are too many to say.
    """
    found: dict[str, Opening] = {}
    for weakening in WEAKENINGS:
        opening = _opening(policy, weakening, budget)
        if opening is not None:
            found[weakening.name] = opening
    return found


def _opening(policy: Policy, weakening: Weakening, budget: Budget) -> Opening | None:
    if weakening.name == UNLISTED:
        return (-1, None) if isinstance(policy.unlisted, Allow) else None
    for nr, conditions in doors(weakening, policy.files):
        budget.next_question()
        for rule in running(policy, nr, conditions, budget):
            return nr, rule
    return None


def running(
    policy: Policy, nr: int, conditions: Sequence[Condition], budget: Budget
) -> Iterator[Rule | None]:
    """The rules (None: `[calls]` or `unlisted`) by which call `nr` runs with such arguments."""
    rules, otherwise = policy.rules.get(nr, ()), policy.calls.get(nr, policy.unlisted)
    box = meeting(EVERYTHING, conditions, budget)
    if box is None or not any(map(_runs, (otherwise, *(rule.action for rule in rules)))):
        return
    for _, rule in decided(box, rules, budget):
        if _as_it_is(rule.action if rule else otherwise):
            yield rule
    # What runs after a rewrite are the new arguments, whatever the old ones were.
    if any(isinstance(rule.action, RewriteSpec) for rule in rules):
        for part, rule in decided(EVERYTHING, rules, budget):
            spec = rule.action if rule else None
            if isinstance(spec, RewriteSpec) and _rewritten(part, spec, conditions, budget) is not None:
                yield rule


def _as_it_is(action: Decision | RewriteSpec) -> bool:
    """True where the call runs with the guest's arguments. A confined emulation acts itself."""
    return isinstance(action, Allow) or (isinstance(action, Emulate) and action.name not in CONFINED)


def _runs(action: Decision | RewriteSpec) -> bool:
    return isinstance(action, RewriteSpec) or _as_it_is(action)


def _rewritten(box: Box, spec: RewriteSpec, conditions: Sequence[Condition], budget: Budget) -> Box | None:
    """The calls of a box whose arguments, once rewritten, meet the conditions; None where there are none."""
    changes = {index: (keep, bits) for index, keep, bits in spec.changes}
    found: Box | None = box
    for condition in conditions:
        if found is None:
            return None
        (index, mask), passing = look(condition), spans(condition)
        keep, bits = changes.get(index, (mask, 0))
        # A policy file's rewrite either keeps some bits or sets a constant.
        if keep & mask:
            found = narrowed(found, (index, keep & mask), passing, budget)
        elif not _holds(bits & mask, passing):
            return None
    return found


def _holds(value: int, passing: Spans) -> bool:
    return any(first <= value <= last for first, last in passing)
