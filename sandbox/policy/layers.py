"""One policy file as a value of its own, and several of them, each extending the next, as one policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sandbox.errors import PolicyError
from sandbox.outcome import Decision, Kill, Refuse
from sandbox.policy.actions import parse_errno
from sandbox.policy.call_lists import parse_calls
from sandbox.policy.model import (
    REFUSE_UNLISTED,
    Environment,
    Files,
    Limits,
    Network,
    Policy,
    Process,
    Rule,
    Waiver,
)
from sandbox.policy.network import parse_network
from sandbox.policy.network import rules as network_rules
from sandbox.policy.reading import SUFFIX, describe_names
from sandbox.policy.rule_tables import NAMES, is_name, parse_rules
from sandbox.policy.sections import (
    Fields,
    parse_environment,
    parse_files,
    parse_limits,
    parse_process,
    parse_waivers,
)
from sandbox.policy.source import Source, Table, is_int, parse_toml
from sandbox.policy.values import quote

SCHEMA = 1
KEYS = (
    "schema",
    "name",
    "description",
    "extends",
    "unlisted",
    "calls",
    "rule",
    "process",
    "limits",
    "environment",
    "files",
    "network",
    "waiver",
)


class Layer(NamedTuple):
    """What one file says, and no other. `replace` drops the extended policy's `[calls]`.

    `root` is the file as it was written.
    """

    source: Source
    root: Table
    name: str
    description: str
    extends: str
    unlisted: Decision | None
    calls: dict[int, Decision]
    replace: bool
    rules: list[Rule]
    process: Fields
    limits: Fields
    environment: Fields
    files: Fields | None
    network: Fields | None
    waivers: tuple[Waiver, ...]


def parse_layer(text: str, file: str) -> Layer:
    """One file's text. Raises PolicyError for everything in it that is not of the policy language."""
    source = Source(file, text)
    root = Table(source, (), parse_toml(source, text))
    root.only("section or key", KEYS)
    root.require("schema")
    root.check("schema", str(SCHEMA), lambda value: is_int(value) and value == SCHEMA)
    calls = root.table("calls")
    return Layer(
        source=source,
        root=root,
        name=_name(root, file),
        description=root.text("description"),
        extends=_extends(root),
        unlisted=_unlisted(root),
        calls=parse_calls(calls) if calls else {},
        replace=_replaces(root, calls),
        rules=parse_rules(root.tables("rule")),
        process=_fields(root.table("process"), parse_process),
        limits=_fields(root.table("limits"), parse_limits),
        environment=_fields(root.table("environment"), parse_environment),
        files=_fields(root.table("files"), parse_files) if "files" in root.data else None,
        network=_fields(root.table("network"), parse_network) if "network" in root.data else None,
        waivers=parse_waivers(root.tables("waiver")),
    )


def _fields(section: Table | None, parse: Any) -> Fields:
    fields: Fields = parse(section) if section else {}
    return fields


def _name(root: Table, file: str) -> str:
    """The policy's name; where it has none, its file's."""
    if "name" in root.data:
        return str(root.check("name", NAMES, is_name))
    stem = file.rpartition("/")[2].removesuffix(SUFFIX)
    return stem if is_name(stem) else "policy"


def _extends(root: Table) -> str:
    name = root.text("extends")
    if not name and "extends" in root.data:
        raise root.error("extends", "extends names no policy", describe_names())
    return name


def _unlisted(root: Table) -> Decision | None:
    if "unlisted" not in root.data:
        return None
    value = root.data["unlisted"]
    if value == "kill":
        return Kill("unlisted")
    allowed = 'an errno such as "ENOSYS", or "kill"'
    return Refuse(parse_errno(root, "unlisted", value, allowed, ("kill",)), "unlisted")


def _replaces(root: Table, calls: Table | None) -> bool:
    if calls is None or "replace" not in calls.data:
        return False
    if "extends" not in root.data:
        raise calls.error("replace", "replace in a policy that extends none", "replace beside extends")
    return calls.boolean("replace")


def combine(layers: Sequence[Layer], sha256: str) -> Policy:
    """The policy of the first layer, which extends the second, and so on.

    Its rules are asked before those of the layers it extends; its `[calls]` count per call, and the other
    sections key by key. Raises PolicyError where two layers use one rule id.
    """
    first = layers[0]
    process: Fields = {}
    limits: Fields = {}
    waivers: dict[str, Waiver] = {}
    calls: dict[int, Decision] = {}
    unlisted: Decision = REFUSE_UNLISTED
    for layer in reversed(layers):
        calls = layer.calls if layer.replace else calls | layer.calls
        process |= layer.process
        limits |= layer.limits
        waivers |= {waiver.name: waiver for waiver in layer.waivers}
        unlisted = unlisted if layer.unlisted is None else layer.unlisted
    network = _network(layers)
    return Policy(
        name=first.name,
        description=first.description,
        file=first.source.file,
        sha256=sha256,
        unlisted=unlisted,
        calls=calls,
        rules=_with(network_rules(network, first.source.file), _rules(layers)),
        process=Process(**process),
        limits=Limits(**limits),
        environment=_environment(layers),
        files=_files(layers),
        network=network,
        waivers=tuple(waivers.values()),
    )


def _environment(layers: Sequence[Layer]) -> Environment:
    """The first `keep` there is, and every layer's `set`, name by name."""
    keep: tuple[str, ...] = ()
    values: dict[str, str] = {}
    for layer in reversed(layers):
        keep = layer.environment.get("keep", keep)
        values |= dict(layer.environment.get("set", ()))
    return Environment(keep, tuple(values.items()))


def _network(layers: Sequence[Layer]) -> Network | None:
    """Each key as the first layer that sets it says."""
    if all(layer.network is None for layer in layers):
        return None
    fields: Fields = {}
    for layer in reversed(layers):
        fields |= layer.network or {}
    return Network(**fields)


def _with(front: Sequence[Rule], rules: dict[int, tuple[Rule, ...]]) -> dict[int, tuple[Rule, ...]]:
    """The rules with others asked before them."""
    for rule in reversed(front):
        rules[rule.nr] = (rule, *rules.get(rule.nr, ()))
    return rules


def _files(layers: Sequence[Layer]) -> Files | None:
    """Each list as the first layer that sets it says, and what the layers above that one add."""
    if all(layer.files is None for layer in layers):
        return None
    fields: Fields = {}
    for layer in reversed(layers):
        for key, value in (layer.files or {}).items():
            if key.startswith("add-"):
                plain = key.removeprefix("add-")
                fields[plain] = (*fields.get(plain, ()), *value)
            else:
                fields[key] = value
    return Files(**fields)


def _rules(layers: Sequence[Layer]) -> dict[int, tuple[Rule, ...]]:
    """Rules by call number, in the order they are asked."""
    found: dict[int, tuple[Rule, ...]] = {}
    owners: dict[str, Rule] = {}
    for layer in layers:
        for rule in layer.rules:
            owner = owners.setdefault(rule.id, rule)
            if owner.file != rule.file:
                raise _used_twice(owner, rule)
            found[rule.nr] = (*found.get(rule.nr, ()), rule)
    return found


def _used_twice(rule: Rule, extended: Rule) -> PolicyError:
    message = f"rule id {quote(rule.id)} is used by the extended policy ({extended.file}:{extended.line})"
    return PolicyError(message, file=rule.file, line=rule.line, allowed="an id of its own for each rule")
