"""`[[rule]]`: conditions on a call's arguments, and what happens where they hold."""

from __future__ import annotations

import re

from sandbox.policy.actions import ACTIONS, parse_action
from sandbox.policy.call_lists import numbers
from sandbox.policy.conditions import never, parse_conditions
from sandbox.policy.model import Condition, Rule
from sandbox.policy.source import Table, did_you_mean
from sandbox.policy.values import quote
from sandbox.syscalls import table

KEYS = ("id", "call", "when", "unless", *ACTIONS, "quiet", "hint")
NAMES = "1 to 64 letters, digits, '.', '_' and '-', a letter or digit first"
CALL = "the name of a system call, or a list of names"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def is_name(value: object) -> bool:
    """True for what may name a policy, a rule or a waiver."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def parse_rules(tables: list[Table]) -> list[Rule]:
    """All rules of one file in the order written, one for each call a rule names.

    Raises PolicyError for a wrong rule and for an id used twice.
    """
    first: dict[str, int] = {}
    rules: list[Rule] = []
    for one in tables:
        found = parse_rule(one)
        if found[0].id in first:
            message = f"rule id {quote(found[0].id)} is used in line {first[found[0].id]} already"
            raise one.error("id", message, "an id of its own for each rule")
        first[found[0].id] = one.line
        rules += found
    return rules


def parse_rule(rule: Table) -> list[Rule]:
    """One `[[rule]]` as a rule for each of its calls. Raises PolicyError."""
    rule.only("key in [[rule]]:", KEYS)
    rule.require("id", "call")
    rule_id = rule.check("id", NAMES, is_name)
    if rule_id == "unlisted" or rule_id.startswith("calls."):
        raise rule.error("id", f"the id {quote(rule_id)} has a meaning of its own", "another id")
    return [_for_call(rule, rule_id, nr) for nr in _calls(rule)]


def _for_call(rule: Table, rule_id: str, nr: int) -> Rule:
    hint = rule.text("hint")
    when, unless = _conditions(rule, "when", nr), _conditions(rule, "unless", nr)
    if never(when, unless):
        raise rule.error("unless", "the rule can never match: unless repeats when", "other tests")
    action = parse_action(rule, rule_id, nr, hint)
    return Rule(rule_id, nr, table.name(nr), when, unless, action, rule.source.file, rule.line, hint)


def _conditions(rule: Table, key: str, nr: int) -> tuple[Condition, ...]:
    tests = rule.table(key)
    return parse_conditions(tests, nr) if tests else ()


def _calls(rule: Table) -> tuple[int, ...]:
    """The numbers of `call`, which is a name or a list of names, none of them twice."""
    call = rule.data["call"]
    words = [((*rule.path, "call"), call)] if isinstance(call, str) else rule.words("call", CALL)
    if not words:
        raise rule.error("call", "a rule for no call", CALL)
    found: dict[int, None] = {}
    for path, word in words:
        if word.startswith("@"):
            near = did_you_mean(word[1:], table.NUMBERS)
            raise rule.source.error(path, f"a rule can't be for the group {quote(word)}", CALL + near)
        (nr,) = numbers(rule.source, path, word)
        if nr in found:
            raise rule.source.error(path, f"{quote(word)} is named twice", CALL)
        found[nr] = None
    return tuple(found)
