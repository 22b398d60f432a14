"""A JSON Schema (draft 2020-12) of policy files, by which editors complete and check them.

It knows names and forms. What depends on the call (its arguments and their flags) only the loader knows.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.policy.actions import ACTIONS, WORDS
from sandbox.policy.conditions import OPERATORS
from sandbox.policy.emulations import EMULATION_CALLS
from sandbox.policy.groups import GROUPS
from sandbox.policy.layers import SCHEMA
from sandbox.policy.model import Files, Limits
from sandbox.policy.sections import MAX_OPEN_FILES, MAX_TASKS
from sandbox.policy.source import MAX_TEXT
from sandbox.policy.weakenings import WEAKENINGS
from sandbox.syscalls import errnos, table

Schema = dict[str, Any]

_NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_NUMBER = "^(0|[1-9][0-9]*|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)$"
_SIZES = ("memory", "output", "file-size", "audit-size")
_TIMES = ("wall", "cpu")


def build() -> Schema:
    """The schema as plain values."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sandbox policy",
        "description": "What a program may do: a policy of run-untrusted-binary.",
        **_object(
            {
                "schema": {"const": SCHEMA, "description": "The version of the language."},
                "name": _ref("name"),
                "description": {**_text(), "description": "One line about whom the policy is for."},
                "extends": {
                    **_text(),
                    "minLength": 1,
                    "description": "A shipped policy's name, or a file beside this one.",
                },
                "unlisted": {
                    "enum": [*_errnos(), "kill"],
                    "description": "What every call gets that nothing else decides.",
                },
                "calls": _calls(),
                "rule": {"type": "array", "items": _ref("rule")},
                "process": _process(),
                "files": _files(),
                "network": _network(),
                "limits": _limits(),
                "environment": _environment(),
                "waiver": {"type": "array", "items": _waiver()},
            },
            "schema",
        ),
        "$defs": _definitions(),
    }


def text() -> str:
    """The schema as JSON text, ending in a newline, the same every time."""
    return json.dumps(build(), indent=2) + "\n"


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _object(properties: Schema, *required: str) -> Schema:
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": list(required)} if required else {})


def _text() -> Schema:
    return {"type": "string", "maxLength": MAX_TEXT}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _errnos() -> list[str]:
    return [*errnos.NUMBERS, *errnos.ALIASES]


def _definitions() -> Schema:
    arguments = {arg.name for nr in table.NUMBERS.values() for arg in table.arguments(nr)}
    value = {"type": ["integer", "string"], "description": "A number, or names such as CLONE_VM|SIGCHLD."}
    operators: Schema = {word: _ref("value") for word in OPERATORS}
    operators["in"] = {**_list(_ref("value")), "minItems": 1}
    test = {"anyOf": [_ref("value"), {**_object(operators), "minProperties": 1}]}
    return {
        "name": {"type": "string", "pattern": _NAME},
        "call": {"enum": sorted(table.NUMBERS)},
        "group": {"enum": sorted(GROUPS)},
        "calls": _list({"anyOf": [_ref("call"), _ref("group")]}),
        "value": value,
        "tests": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"enum": sorted(arguments)},
            "additionalProperties": test,
        },
        "rule": _rule(),
    }


def _calls() -> Schema:
    listed = {
        "allow": "These run as they are.",
        "watch": "These run, and their results are recorded.",
        "kill": "These end the process with SIGSYS.",
    }
    properties: Schema = {key: {**_ref("calls"), "description": why} for key, why in listed.items()}
    properties["refuse"] = {
        "type": "object",
        "propertyNames": {"enum": _errnos()},
        "additionalProperties": _ref("calls"),
        "description": "An errno, and the calls that get it from the kernel's filter.",
    }
    properties["return"] = {
        "type": "object",
        "propertyNames": {"pattern": _NUMBER},
        "additionalProperties": _ref("calls"),
        "description": "A value, and the calls that return it without running.",
    }
    properties["replace"] = {"type": "boolean", "description": "Drop the extended policy's [calls]."}
    return _object(properties)


def _rule() -> Schema:
    rewritten = {"anyOf": [_ref("value"), _object({"mask": _ref("value")}, "mask")]}
    properties: Schema = {
        "id": _ref("name"),
        "call": {"anyOf": [_ref("call"), {**_list(_ref("call")), "minItems": 1, "uniqueItems": True}]},
        "when": {**_ref("tests"), "description": "The rule decides where all of these hold"},
        "unless": {**_ref("tests"), "description": "… and not all of these do."},
        "verdict": {"enum": [*WORDS, *_errnos()]},
        "return": {"type": "integer", "minimum": 0, "maximum": (1 << 63) - 1},
        "emulate": {"enum": list(EMULATION_CALLS)},
        "rewrite": {"type": "object", "minProperties": 1, "additionalProperties": rewritten},
        "quiet": {"type": "boolean", "description": "Leave no record of the answer."},
        "hint": {**_text(), "description": "Shown when a run ends badly after this rule refused a call."},
    }
    return _object(properties, "id", "call") | {"oneOf": [{"required": [key]} for key in ACTIONS]}


def _process() -> Schema:
    return _object(
        {
            "vfork": {"enum": ["emulate", "kernel"], "description": "Who blocks the parent of a spawn."},
            "max": {"type": "integer", "minimum": 1, "maximum": MAX_TASKS},
            "threads": {"type": "boolean"},
            "vdso": {"type": "boolean", "description": "false: clock_gettime becomes a system call again."},
        }
    )


def _files() -> Schema:
    paths = _list({"type": "string", "pattern": r"^(/|\$\{)"})
    keys = [field for field in Files._fields if field != "scratch"]
    properties: Schema = {prefix + key: paths for key in keys for prefix in ("", "add-")}
    return _object(properties | {"scratch": {"type": "boolean"}})


def _network() -> Schema:
    ports = _list({"type": "integer", "minimum": 1, "maximum": 65535})
    families = _list({"type": "string", "pattern": "^AF_[A-Z0-9]+$"})
    return _object({"families": families, "connect": ports, "bind": ports})


def _limits() -> Schema:
    size = {
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "string", "pattern": r"^\s*[0-9]{1,19}\s*([kKmMgGtT]([iI]?[bB])?|[bB])?\s*$"},
        ]
    }
    time = {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "maximum": 1e9},
            {"type": "string", "pattern": r"^\s*[0-9]{1,12}(\.[0-9]{1,9})?\s*(ms|s|m|h)?\s*$"},
        ]
    }
    count = {"type": "integer", "minimum": 1, "maximum": MAX_OPEN_FILES}
    properties: Schema = {}
    for field in Limits._fields:
        key = field.replace("_", "-")
        properties[key] = size if key in _SIZES else time if key in _TIMES else count
    return _object(properties)


def _environment() -> Schema:
    keep = _list({"type": "string", "pattern": "^[^= *]*\\*?$"})
    values = {
        "type": "object",
        "propertyNames": {"pattern": "^[^= *]+$"},
        "additionalProperties": {"type": "string"},
    }
    return _object({"keep": keep, "set": values})


def _waiver() -> Schema:
    known = "; ".join(f"{one.name}: {one.why}" for one in WEAKENINGS)
    name = {**_ref("name"), "examples": [one.name for one in WEAKENINGS], "description": known}
    return _object({"name": name, "reason": {**_text(), "pattern": r"\S"}}, "name", "reason")
