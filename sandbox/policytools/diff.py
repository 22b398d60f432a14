"""`policy diff`: which calls two policies treat differently, by what calls get, not by how they say it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sandbox import rules
from sandbox.outcome import Allow, Decision
from sandbox.policy.model import Condition, Policy, RewriteSpec, Rule
from sandbox.policytools import words
from sandbox.policytools.boxes import EVERYTHING, Budget, TooManyCasesError, example
from sandbox.policytools.outcomes import Action, outcomes
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64

# More cases of one call than anybody reads.
_MOST_CASES = 20


class Change(NamedTuple):
    """Calls that get another verdict: with any arguments, or in a case of which `args` is one example.

    `calls` names one call, or all those without conditions that change in the same way; `unlisted` stands
    for every call that neither policy names. `args` is None where no argument matters. `before` and `after`
    are None where the rules are too intricate to compare all cases.
    """

    calls: tuple[str, ...]
    args: dict[str, int] | None
    before: str | None
    after: str | None


class Setting(NamedTuple):
    """A value in a section that differs; None is one that is not set."""

    name: str
    before: Any
    after: Any


class Difference(NamedTuple):
    """Everything in which two policies behave differently; empty where they behave alike."""

    changes: tuple[Change, ...]
    settings: tuple[Setting, ...]


def compare(before: Policy, after: Policy, budget: Budget | None = None) -> Difference:
    """What changes for a guest and for the log where the second policy takes the first one's place.

    Names, descriptions, hints and rule ids are no behaviour.
    """
    return Difference(tuple(_changes(before, after, budget or Budget())), tuple(_settings(before, after)))


# ---- calls ----


def _changes(before: Policy, after: Policy, budget: Budget) -> Iterator[Change]:
    whole: dict[tuple[str, str], list[str]] = {}
    cases: list[Change] = []
    named = before.calls.keys() | before.rules.keys() | after.calls.keys() | after.rules.keys()
    for nr in sorted(named):
        if not any(_is_judged(policy, nr) for policy in (before, after)):
            pair = _shown(_otherwise(before, nr), nr), _shown(_otherwise(after, nr), nr)
            if pair[0] != pair[1]:
                whole.setdefault(pair, []).append(table.name(nr))
            continue
        found = _cases(before, after, nr, budget)
        if len(found) == 1 and found[0].args == {} and found[0].before and found[0].after:
            whole.setdefault((found[0].before, found[0].after), []).append(table.name(nr))
        else:
            cases += found
    unlisted = _shown(before.unlisted, -1), _shown(after.unlisted, -1)
    if unlisted[0] != unlisted[1]:
        yield Change(("unlisted",), None, *unlisted)
    for pair, names in sorted(whole.items()):
        yield Change(tuple(names), None, *pair)
    yield from cases


def _is_judged(policy: Policy, nr: int) -> bool:
    """True where rules of the policy or built-in ones may tell one such call from another."""
    return bool(policy.rules.get(nr) or rules.refusals(policy, nr))


def _otherwise(policy: Policy, nr: int) -> Decision:
    return policy.calls.get(nr, policy.unlisted)


def _shown(action: Action, nr: int) -> str:
    return words.verdict(action, nr) + (", not recorded" if words.quiet(action) else "")


def _cases(before: Policy, after: Policy, nr: int, budget: Budget) -> list[Change]:
    """The cases of one call in which the verdicts differ, one for each pair of rules that decide it."""
    budget.next_question()
    found: dict[tuple[str, str, str, str], Change] = {}
    try:
        for box, was in outcomes(before, nr, _told_apart(before, nr), EVERYTHING, budget):
            for part, now in outcomes(after, nr, _told_apart(after, nr), box, budget):
                pair = _shown(was, nr), _shown(now, nr)
                key = (was.rule, now.rule, *pair)
                if pair[0] != pair[1] and key not in found:
                    values = example(part, budget)
                    args = {words.argument(nr, at): values[at] for at in sorted({at for at, _ in part})}
                    found[key] = Change((table.name(nr),), args, *pair)
                    if len(found) > _MOST_CASES:
                        raise TooManyCasesError
    except TooManyCasesError:
        return [*found.values(), Change((table.name(nr),), {}, None, None)]
    return list(found.values())


def _told_apart(policy: Policy, nr: int) -> list[Rule]:
    """A call's rules; where a rewrite leaves the arguments as they are, an `allow` stands before it."""
    told: list[Rule] = []
    for rule in policy.rules.get(nr, ()):
        if isinstance(rule.action, RewriteSpec):
            same = tuple(_unchanged(nr, *change) for change in rule.action.changes)
            told.append(rule._replace(when=(*rule.when, *same), action=Allow(rule.id)))
        told.append(rule)
    return told


def _unchanged(nr: int, index: int, keep: int, bits: int) -> Condition:
    """That a rewrite leaves an argument as it is, in the bits the kernel reads."""
    arg = table.arguments(nr)[index]
    full = (1 << arg.bits) - 1
    return Condition(index, "in", (bits & full,), (~keep & MASK64 | bits) & full, arg.bits)


# ---- sections ----


def _settings(before: Policy, after: Policy) -> Iterator[Setting]:
    for section in Policy._fields:
        was, now = getattr(before, section), getattr(after, section)
        if section == "waivers":
            yield from _differing("waiver", dict(was), dict(now))
        elif section not in ("unlisted", "calls", "rules") and (_is_section(was) or _is_section(now)):
            yield from _differing(section, _fields(was), _fields(now))


def _is_section(value: object) -> bool:
    return hasattr(value, "_asdict")


def _fields(section: Any) -> dict[str, Any]:
    return {} if section is None else section._asdict()


def _differing(section: str, was: dict[str, Any], now: dict[str, Any]) -> Iterator[Setting]:
    for key in dict.fromkeys((*was, *now)):
        if was.get(key) != now.get(key):
            yield Setting(f"{section}.{key.replace('_', '-')}", was.get(key), now.get(key))


# ---- in print ----


def as_text(difference: Difference) -> Iterator[str]:
    """The differences as lines for a person."""
    for change in difference.changes:
        yield f"{_called(change)}: {_told(change)}"
    for setting in difference.settings:
        yield f"{setting.name}: {_set(setting.before)} → {_set(setting.after)}"


def _called(change: Change) -> str:
    if change.calls == ("unlisted",):
        return "every call that is not named"
    if not change.args:
        return ", ".join(change.calls)
    nr = table.NUMBERS[change.calls[0]]
    at = {words.argument(nr, index): index for index in range(6)}
    return words.call(nr, {at[name]: value for name, value in change.args.items()})


def _told(change: Change) -> str:
    if change.before is None or change.after is None:
        return "too many cases to compare all of them"
    return f"{change.before} → {change.after}"


def _set(value: Any) -> str:
    match value:
        case None:
            return "not set"
        case bool():
            return str(value).lower()
        case tuple():
            return f"[{', '.join(map(_set, value))}]"
        case _:
            return str(value)


def as_dict(difference: Difference) -> dict[str, Any]:
    """The differences as one JSON object."""
    return {
        "calls": [_change_dict(change) for change in difference.changes],
        "settings": [setting._asdict() for setting in difference.settings],
    }


def _change_dict(change: Change) -> dict[str, Any]:
    args = None if change.args is None else {name: hex(value) for name, value in change.args.items()}
    return change._asdict() | {"args": args}
