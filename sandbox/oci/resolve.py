"""What a profile does with each call, where several of its entries name the same one.

The profile's own words leave that open; this follows what enforces it (runc 1.3 with libseccomp 2.5):

- An entry whose action is the default action counts for nothing (runc's matchCall).
- Comparisons of one entry must all hold; but where two of them are of one argument, each is a rule of its own
  (matchCall; seccomp_rule_add(3) allows one comparison of an argument in a rule).
- A rule without comparisons decides whatever else there is, the first of several (db_rule_add).
- Of rules with comparisons libseccomp promises no order. Here the strictest that matches decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sandbox.oci.answers import Answer, answer, strictest
from sandbox.oci.compare import argument, read, width
from sandbox.oci.profile import Comparison, Entry, Profile
from sandbox.oci.spans import NONE, Masked, Spans, Values, disjoint, union, whole
from sandbox.syscalls import table

_MOST_COMPARED = 300


class Check(NamedTuple):
    """Registers, by index and ascending, and what of each passes: all must. `entries` asked for it."""

    answer: Answer
    tests: tuple[tuple[int, Values], ...]
    entries: tuple[Entry, ...]


class Plan(NamedTuple):
    """What happens to one call: `checks` in order, the first that passes decides; else `answer`.

    `entries` asked for the answer; there are none where it is the default.
    """

    nr: int
    checks: tuple[Check, ...]
    answer: Answer
    entries: tuple[Entry, ...] = ()


class _Rule(NamedTuple):
    """One libseccomp rule."""

    entry: Entry
    answer: Answer
    args: tuple[Comparison, ...]


def resolve(
    profile: Profile, entries: Iterable[Entry], losses: dict[str, None]
) -> tuple[list[Plan], list[str]]:
    """A plan for each call the entries name, in the order they do, and the names that are no call's here.

    What can't be had exactly is added to the losses.
    """
    default = answer(profile.default)[0]
    rules: dict[int, list[_Rule]] = {}
    unknown: dict[str, None] = {}
    for entry in entries:
        if entry.action == profile.default:
            continue
        made, loss = answer(entry.action)
        if loss:
            losses[f"{entry.path}: {entry.action.name}: {loss}"] = None
        for name in entry.names:
            nr = table.number(name)
            if nr is None:
                unknown[name] = None
            else:
                rules.setdefault(nr, []).extend(_Rule(entry, made, args) for args in _alternatives(entry))
    plans = [_plan(nr, of_call, default, losses) for nr, of_call in rules.items()]
    return plans, list(unknown)


def _alternatives(entry: Entry) -> Iterator[tuple[Comparison, ...]]:
    """The comparisons of each libseccomp rule an entry becomes.

    A mask of 0 compares nothing: libseccomp makes no test of it (_db_rule_gen_arg_64).
    """
    split = len({one.index for one in entry.args}) < len(entry.args)
    for args in ([one] for one in entry.args) if split else (entry.args,):
        yield tuple(one for one in args if one.op != "SCMP_CMP_MASKED_EQ" or one.value)


def _plan(nr: int, rules: list[_Rule], default: Answer, losses: dict[str, None]) -> Plan:
    for rule in rules:
        if not rule.args:
            return Plan(nr, (), rule.answer, (rule.entry,))
    loosest = max(default.rank, *(rule.answer.rank for rule in rules))
    checks = [check for rule in rules if (check := _check(nr, rule, default, loosest, losses))]
    checks = _merged(nr, checks)
    checks.sort(key=lambda check: check.answer.rank)
    if _may_overlap(nr, checks):
        places = ", ".join(dict.fromkeys(check.entries[0].path for check in checks))
        losses[f"{places}: rules for {table.name(nr)} overlap; the strictest decides"] = None
    return Plan(nr, tuple(checks), default)


def _check(nr: int, rule: _Rule, default: Answer, loosest: int, losses: dict[str, None]) -> Check | None:
    """The check for a rule; None where no call passes it.

    A comparison that can't be had exactly makes a rule that loosens pass less, and any other pass more, with
    what is then the stricter answer.
    """
    tests = [(one.index, read(one, nr)) for one in rule.args]
    for one, (_, test) in zip(rule.args, tests, strict=True):
        if test.loss:
            losses[f"{one.path} ({table.name(nr)}): {test.loss}"] = None
    if all(test.narrow == test.wide for _, test in tests) or rule.answer.rank == loosest:
        return _made(nr, rule, rule.answer, [(index, test.narrow) for index, test in tests])
    return _made(nr, rule, strictest(default, rule.answer), [(index, test.wide) for index, test in tests])


def _made(nr: int, rule: _Rule, decided: Answer, tests: list[tuple[int, Values]]) -> Check | None:
    if any(values == NONE for _, values in tests):
        return None
    limiting = (test for test in sorted(tests) if test[1] != whole(_bits(nr, test[0])))
    return Check(decided, tuple(limiting), (rule.entry,))


def _bits(nr: int, index: int) -> int:
    arg = argument(nr, index)
    return width(arg) if arg else 64


def _merged(nr: int, checks: list[Check]) -> list[Check]:
    """The same checks with those joined that differ in the spans of one argument only."""
    for index in range(6):
        groups: dict[object, list[Check]] = {}
        for check in checks:
            spans = _spans(check, index)
            rest = tuple(test for test in check.tests if test[0] != index)
            groups.setdefault((check.answer, rest, None if spans else check.tests), []).append(check)
        checks = [_joined(nr, index, group) for group in groups.values()]
    return checks


def _spans(check: Check, index: int) -> Spans:
    """The spans of one argument that pass; none where it isn't looked at, or is under a mask."""
    values = dict(check.tests).get(index, NONE)
    return NONE if isinstance(values, Masked) else values


def _joined(nr: int, index: int, group: list[Check]) -> Check:
    first = group[0]
    if len(group) == 1:
        return first
    entries = tuple(dict.fromkeys(entry for check in group for entry in check.entries))
    spans = union(span for check in group for span in _spans(check, index))
    if not spans:
        return first._replace(entries=entries)
    rest = tuple(test for test in first.tests if test[0] != index)
    limiting = () if spans == whole(_bits(nr, index)) else ((index, spans),)
    return Check(first.answer, tuple(sorted((*rest, *limiting))), entries)


def _may_overlap(nr: int, checks: list[Check]) -> bool:
    """True where a call may pass two checks with different answers, or there are too many to tell."""
    if len({check.answer for check in checks}) < 2:
        return False
    if sum(len(values) for check in checks for _, values in check.tests) > _MOST_COMPARED:
        return True
    pairs = ((one, other) for place, one in enumerate(checks) for other in checks[:place])
    return any(one.answer != other.answer and not _apart(nr, one, other) for one, other in pairs)


def _apart(nr: int, one: Check, other: Check) -> bool:
    """True where no call passes both."""
    others = dict(other.tests)
    return any(
        index in others and disjoint(values, others[index], _bits(nr, index)) for index, values in one.tests
    )
