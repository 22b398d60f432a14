"""Checks of `[[rule]]`s: rules that never decide, and tests that make no difference.

Only rules of one file are held against each other: deciding before the rules of the policy it extends is
what a file is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.policy.layers import Layer
from sandbox.policy.model import Condition, RewriteSpec, Rule
from sandbox.policytools.boxes import (
    EVERYTHING,
    Budget,
    TooManyCasesError,
    failing,
    matched,
    meeting,
    undecided,
)
from sandbox.policytools.findings import Finding, finding
from sandbox.policytools.places import Place
from sandbox.syscalls import table

NEVER_MATCHES = "never-matches"
NO_EFFECT = "no-effect"
SHADOWED = "shadowed"
CONTRADICTION = "contradiction"
UNCHECKED = "unchecked"


def check_rules(layer: Layer, budget: Budget) -> list[Finding]:
    """Everything wrong with the rules of one file, each thing once for all calls of a rule."""
    told: dict[tuple[Place, str, str], list[str]] = {}
    open_: list[Rule] = []
    for rules in _by_call(layer.rules).values():
        for nth, rule in enumerate(rules):
            budget.next_question()
            try:
                for kind, message in _problems(rule, rules[:nth], budget):
                    told.setdefault((_place(rule), kind, message), []).append(rule.call)
            except TooManyCasesError:
                open_.append(rule)
    found = [
        finding(kind, where, message.replace("{calls}", _listed(calls)))
        for (where, kind, message), calls in told.items()
    ]
    return found + _unchecked(open_)


def _place(rule: Rule) -> Place:
    return Place(rule.file, rule.line)


def _unchecked(rules: Sequence[Rule]) -> list[Finding]:
    """One finding for all rules that took too long."""
    if not rules:
        return []
    more = f" (and {len(rules) - 1} more)" if rules[1:] else ""
    message = f"rule {rules[0].id}{more}, with the rules before it, is too intricate to check"
    return [finding(UNCHECKED, _place(rules[0]), message)]


def _by_call(rules: Sequence[Rule]) -> dict[int, list[Rule]]:
    found: dict[int, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.nr, []).append(rule)
    return found


def _listed(calls: Sequence[str]) -> str:
    shown = ", ".join(calls[:4])
    return f"{shown} and {len(calls) - 4} more" if len(calls) > 4 else shown


def _problems(rule: Rule, earlier: Sequence[Rule], budget: Budget) -> Iterator[tuple[str, str]]:
    """Kinds and messages; `{calls}` in a message stands for the calls it is true of."""
    impossible = _impossible(rule, budget)
    if impossible:
        yield NEVER_MATCHES, f"rule {rule.id} matches no call of {{calls}}: {impossible}"
        return
    for name, why in _idle(rule, budget):
        yield NO_EFFECT, f"rule {rule.id}: the test of {name} makes no difference: {why}"
    yield from _shadowed(rule, earlier, budget)


def _impossible(rule: Rule, budget: Budget) -> str:
    """Why a rule matches nothing; '' where it matches something."""
    if meeting(EVERYTHING, rule.when, budget) is None:
        return "its `when` can never hold"
    if matched(EVERYTHING, rule, budget):
        return ""
    return "its `unless` holds wherever its `when` does" if rule.when else "its `unless` always holds"


def _idle(rule: Rule, budget: Budget) -> Iterator[tuple[str, str]]:
    """Arguments whose test could go without a difference, and why."""
    if rule.unless and meeting(EVERYTHING, (*rule.when, *rule.unless), budget) is None:
        yield _names(rule.nr, rule.unless), "`unless` can never hold"
        return
    for place, test in enumerate(rule.when):
        others = (*rule.when[:place], *rule.when[place + 1 :])
        if _always(others, test, budget):
            yield _names(rule.nr, [test]), "it always holds" + (" where the others do" if others else "")
            return
    for place, test in enumerate(rule.unless):
        others = (*rule.when, *rule.unless[:place], *rule.unless[place + 1 :])
        if _always(others, test, budget):
            yield _names(rule.nr, [test]), "it always holds where the others do"
            return


def _always(others: Sequence[Condition], test: Condition, budget: Budget) -> bool:
    box = meeting(EVERYTHING, others, budget)
    return box is not None and not any(failing(box, [test], budget))


def _names(nr: int, tests: Sequence[Condition]) -> str:
    arguments = table.arguments(nr)
    return ", ".join(dict.fromkeys(arguments[test.index].name for test in tests))


def _shadowed(rule: Rule, earlier: Sequence[Rule], budget: Budget) -> Iterator[tuple[str, str]]:
    """A rule whose calls have all been decided before it is asked."""
    inside = matched(EVERYTHING, rule, budget)
    before = [one for one in earlier if any(matched(box, one, budget) for box in inside)]
    if any(undecided(box, before, budget) is not None for box in inside):
        return
    same = [one for one in before if (one.when, one.unless) == (rule.when, rule.unless)]
    if same and _said(same[0]) != _said(rule):
        message = (
            f"rule {rule.id} contradicts rule {same[0].id} (line {same[0].line}), which decides the same"
        )
        yield CONTRADICTION, f"{message} calls of {{calls}} another way and is asked first"
        return
    deciders = ", ".join(f"{one.id} (line {one.line})" for one in before)
    yield SHADOWED, f"rule {rule.id} never decides a call of {{calls}}: {deciders} did before it"


def _said(rule: Rule) -> object:
    """What a rule does, whatever it is called."""
    action = rule.action
    return action.changes if isinstance(action, RewriteSpec) else action._replace(rule="")
