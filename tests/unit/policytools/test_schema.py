"""The JSON Schema of policy files: current, true of the shipped policies, and about every key there is."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sandbox.policy.actions import ACTIONS
from sandbox.policy.call_lists import KEYS as CALL_KEYS
from sandbox.policy.layers import KEYS
from sandbox.policy.load import find_shipped, load, shipped
from sandbox.policy.model import Environment, Files, Limits, Process, Waiver
from sandbox.policy.rule_tables import KEYS as RULE_KEYS
from sandbox.policytools.schema import build, text
from sandbox.policytools.show import render

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "policy.schema.json"
SCHEMA = build()
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
}  # fmt: skip
ABOUT_PEOPLE = {"$schema", "$defs", "title", "description", "examples"}


def faults(value: Any, schema: dict[str, Any], where: str = "") -> list[str]:
    """What a JSON Schema validator says of a value, for the keywords this schema uses."""
    found: list[str] = []
    for keyword, rule in schema.items():
        if keyword not in ABOUT_PEOPLE:
            found += CHECKS[keyword](value, rule, schema, where)
    return found


def check(test: bool, where: str, what: str) -> list[str]:
    return [] if test else [f"{where}: {what}"]


def has_type(value: Any, rule: Any) -> bool:
    names = [rule] if isinstance(rule, str) else rule
    return any(
        isinstance(value, TYPES[n]) and not (isinstance(value, bool) and n != "boolean") for n in names
    )


def properties(value: Any, rule: Any, schema: dict[str, Any], where: str) -> list[str]:
    return [one for key in value if key in rule for one in faults(value[key], rule[key], f"{where}.{key}")]


def additional(value: Any, rule: Any, schema: dict[str, Any], where: str) -> list[str]:
    rest = [key for key in value if key not in schema.get("properties", {})]
    if rule is False:
        return [f"{where}: no {key}" for key in rest]
    return [one for key in rest for one in faults(value[key], rule, f"{where}.{key}")]


def fitting(value: Any, rule: Any, where: str) -> int:
    return sum(not faults(value, one, where) for one in rule)


CHECKS: dict[str, Any] = {
    "$ref": lambda v, r, s, w: faults(v, SCHEMA["$defs"][r.removeprefix("#/$defs/")], w),
    "type": lambda v, r, s, w: check(has_type(v, r), w, f"not of type {r}"),
    "const": lambda v, r, s, w: check(v == r, w, f"not {r}"),
    "enum": lambda v, r, s, w: check(v in r, w, f"{v!r} is not one of those"),
    "required": lambda v, r, s, w: check(not isinstance(v, dict) or set(r) <= set(v), w, f"lacks {r}"),
    "properties": lambda v, r, s, w: properties(v, r, s, w) if isinstance(v, dict) else [],
    "additionalProperties": lambda v, r, s, w: additional(v, r, s, w) if isinstance(v, dict) else [],
    "propertyNames": lambda v, r, s, w: [one for key in v for one in faults(key, r, w)],
    "items": lambda v, r, s, w: (
        [one for item in v for one in faults(item, r, w)] if isinstance(v, list) else []
    ),
    "anyOf": lambda v, r, s, w: check(fitting(v, r, w) > 0, w, "fits none"),
    "oneOf": lambda v, r, s, w: check(fitting(v, r, w) == 1, w, "fits none or several"),
    "pattern": lambda v, r, s, w: check(
        not isinstance(v, str) or bool(re.search(r, v)), w, f"{v!r} does not match"
    ),
    "minLength": lambda v, r, s, w: check(not isinstance(v, str) or len(v) >= r, w, "too short"),
    "maxLength": lambda v, r, s, w: check(not isinstance(v, str) or len(v) <= r, w, "too long"),
    "minItems": lambda v, r, s, w: check(not isinstance(v, list) or len(v) >= r, w, "too few"),
    "uniqueItems": lambda v, r, s, w: check(not isinstance(v, list) or len(set(v)) == len(v), w, "one twice"),
    "minProperties": lambda v, r, s, w: check(not isinstance(v, dict) or len(v) >= r, w, "too few"),
    "minimum": lambda v, r, s, w: check(not isinstance(v, int | float) or v >= r, w, "too small"),
    "maximum": lambda v, r, s, w: check(not isinstance(v, int | float) or v <= r, w, "too large"),
    "exclusiveMinimum": lambda v, r, s, w: check(not isinstance(v, int | float) or v > r, w, "too small"),
}


def test_the_document_is_current() -> None:
    """Made by `sandboxctl policy schema > docs/policy.schema.json`."""
    assert DOCUMENT.read_text() == text()
    assert json.loads(text()) == build()


@pytest.mark.parametrize("name", shipped())
def test_shipped_policies_fit(name: str) -> None:
    assert faults(tomllib.loads(Path(find_shipped(name)).read_text()), SCHEMA) == []
    assert faults(tomllib.loads(render(load(name))), SCHEMA) == []


RULE = 'schema = 1\n[[rule]]\nid = "a"\ncall = "read"\n'
WRONG = {
    "no schema": "",
    "another schema": "schema = 2",
    "unknown key": "schema = 1\nnonsense = 1",
    "an empty extends": 'schema = 1\nextends = ""',
    "unknown call": 'schema = 1\n[calls]\nallow = ["raed"]',
    "unknown group": 'schema = 1\n[calls]\nallow = ["@io"]',
    "unknown list": 'schema = 1\n[calls]\nforbid = ["read"]',
    "unknown errno": 'schema = 1\n[calls]\nrefuse = { EWHAT = ["read"] }',
    "a rule without a call": 'schema = 1\n[[rule]]\nid = "a"\nverdict = "allow"',
    "a rule without an action": RULE,
    "a rule with two": RULE + 'verdict = "EIO"\nreturn = 0',
    "a rule for a group": 'schema = 1\n[[rule]]\nid = "a"\ncall = "@aio"\nverdict = "EIO"',
    "an unknown argument": RULE + 'when = { nonsense = 1 }\nverdict = "EIO"',
    "an unknown operator": RULE + 'when = { fd = { is = 1 } }\nverdict = "EIO"',
    "an empty test": RULE + 'when = {}\nverdict = "EIO"',
    "an unknown emulation": RULE + 'emulate = "zero"',
    "a waiver without a reason": 'schema = 1\n[[waiver]]\nname = "a"',
    "a bad size": 'schema = 1\n[limits]\nfile-size = "5 apples"',
    "a bad time": 'schema = 1\n[limits]\nwall = "5 days"',
    "no time at all": "schema = 1\n[limits]\nwall = 0",
    "no tasks": "schema = 1\n[process]\nmax = 0",
    "a relative path": 'schema = 1\n[files]\nread = ["usr"]',
}


@pytest.mark.parametrize("case", WRONG)
def test_what_the_loader_refuses_does_not_fit(case: str) -> None:
    assert faults(tomllib.loads(WRONG[case]), SCHEMA) != []


def dashed(fields: tuple[str, ...]) -> set[str]:
    return {field.replace("_", "-") for field in fields}


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("calls", set(CALL_KEYS)),
        ("process", dashed(Process._fields)),
        ("limits", dashed(Limits._fields)),
        ("environment", dashed(Environment._fields)),
        ("files", {*Files._fields, "add-read", "add-write", "add-exec"}),
    ],
)
def test_sections_have_every_key(section: str, keys: set[str]) -> None:
    assert set(SCHEMA["properties"][section]["properties"]) == keys


def test_all_else_has_every_key() -> None:
    assert set(SCHEMA["properties"]) == set(KEYS)
    assert set(SCHEMA["$defs"]["rule"]["properties"]) == set(RULE_KEYS)
    assert {one["required"][0] for one in SCHEMA["$defs"]["rule"]["oneOf"]} == set(ACTIONS)
    assert set(SCHEMA["properties"]["waiver"]["items"]["properties"]) == set(Waiver._fields)
