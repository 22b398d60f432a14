"""A policy as one file: everything it says after `extends`, in the policy language itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sandbox.outcome import Allow, Decision, Emulate, Kill, Refuse, Return
from sandbox.policy.model import Condition, Policy, RewriteSpec, Rule
from sandbox.policy.numbers import full_mask
from sandbox.policytools import toml
from sandbox.syscalls import errnos, table

_COMPARISONS = ("lt", "le", "gt", "ge")


def render(policy: Policy) -> str:
    """TOML that loads to a policy with the same decisions, sections and waivers as one from files.

    Rules carry the file and line they came from as comments.
    """
    parts = [_head(policy), _calls(policy), *map(_rule, _ordered(policy)), *_sections(policy)]
    parts += [
        _lines("[[waiver]]", {"name": toml.text(one.name), "reason": toml.text(one.reason)})
        for one in policy.waivers
    ]
    return "\n".join(part for part in parts if part)


def _lines(header: str, values: dict[str, str]) -> str:
    return "".join(f"{line}\n" for line in (header, *(f"{key} = {value}" for key, value in values.items())))


def _head(policy: Policy) -> str:
    values = {"schema": "1", "name": toml.text(policy.name)}
    if policy.description:
        values["description"] = toml.text(policy.description)
    values["unlisted"] = toml.text(_word(policy.unlisted))
    return _lines(f"# {policy.name} as a whole, with all that it extends.", values)


def _word(action: Decision) -> str:
    """A verdict that is one word."""
    match action:
        case Refuse(errno=errno):
            return errnos.errno_name(errno)
        case Kill():
            return "kill"
        case Allow(watch=watch):
            return "watch" if watch else "allow"
        case _:
            raise ValueError(f"no verdict in a policy file: {action}")


# ---- [calls] ----


def _calls(policy: Policy) -> str:
    lists: dict[str, dict[str, list[str]]] = {}
    for nr, decision in policy.calls.items():
        section, key = _list_of(decision)
        lists.setdefault(section, {}).setdefault(key, []).append(toml.text(table.name(nr)))
    parts = [
        _lines(
            f"[{section}]", {toml.key(key): toml.array(sorted(names)) for key, names in sorted(keys.items())}
        )
        for section, keys in sorted(lists.items())
    ]
    return "\n".join(parts)


def _list_of(decision: Decision) -> tuple[str, str]:
    """The table and the key under which `[calls]` lists a call with this decision."""
    match decision:
        case Return(value=value):
            return "calls.return", str(value)
        case Refuse(errno=errno):
            return "calls.refuse", errnos.errno_name(errno)
        case _:
            return "calls", _word(decision)


# ---- [[rule]] ----


def _ordered(policy: Policy) -> Iterator[list[Rule]]:
    """Rules by id, each as its parts for every call, in an order that keeps that of every call."""
    waiting = {nr: own for nr, rules in policy.rules.items() if (own := [*filter(_is_written, rules)])}
    parts: dict[str, list[Rule]] = {}
    for rules in waiting.values():
        for rule in rules:
            parts.setdefault(rule.id, []).append(rule)
    while waiting:
        heads = {rules[0].id: rules[0] for rules in waiting.values()}
        free = [rule for id_, rule in heads.items() if _is_free(parts[id_], waiting)]
        chosen = min(free, key=lambda rule: (rule.file != policy.file, rule.file, rule.line))
        yield sorted(parts[chosen.id], key=lambda rule: rule.call)
        for part in parts[chosen.id]:
            waiting[part.nr].pop(0)
            if not waiting[part.nr]:
                del waiting[part.nr]


def _is_written(rule: Rule) -> bool:
    """True for a rule somebody wrote; `[network]` makes others, which have no line."""
    return rule.line > 0


def _is_free(parts: Sequence[Rule], waiting: dict[int, list[Rule]]) -> bool:
    """True where no other rule must be asked before this one, by any of its calls."""
    return all(waiting[part.nr][0] is part for part in parts)


def _rule(parts: list[Rule]) -> str:
    first = parts[0]
    names = [toml.text(rule.call) for rule in parts]
    values = {"id": toml.text(first.id), "call": names[0] if len(names) == 1 else toml.array(names)}
    tests = {
        "when": _tests(parts, [rule.when for rule in parts]),
        "unless": _tests(parts, [rule.unless for rule in parts]),
    }
    below = ""
    for key, found in tests.items():
        inline = f"{{ {', '.join(f'{name} = {_inline(test)}' for name, test in found.items())} }}"
        if found and len(inline) + 12 <= toml.WIDTH:
            values[key] = inline
        elif found:
            below += "".join("\n" + _lines(f"[rule.{key}.{name}]", test) for name, test in found.items())
    values |= _action(parts)
    if first.hint:
        values["hint"] = toml.text(first.hint)
    where = f"# {first.file}:{first.line}\n" if first.line else ""
    return where + _lines("[[rule]]", values) + below


def _inline(test: dict[str, str]) -> str:
    """A test of one argument on one line: a plain value where it is just that."""
    if list(test) == ["eq"]:
        return test["eq"]
    return f"{{ {', '.join(f'{key} = {value}' for key, value in test.items())} }}"


def _tests(parts: Sequence[Rule], conditions: Sequence[tuple[Condition, ...]]) -> dict[str, dict[str, str]]:
    """Every argument's test: operators and what they compare with.

    The parts of a rule have the same tests, of arguments with the same names.
    """
    found: dict[str, dict[str, str]] = {}
    for same in zip(*conditions, strict=True):
        args = [table.arguments(part.nr)[test.index] for part, test in zip(parts, same, strict=True)]
        found.setdefault(args[0].name, {}).update(_operators(args, same))
    return found


def _operators(args: Sequence[table.Arg], same: Sequence[Condition]) -> dict[str, str]:
    first = same[0]
    masked, ordered = first.mask != full_mask(args[0]), first.op in _COMPARISONS
    values = [
        toml.number(
            [(arg, test.values[nth]) for arg, test in zip(args, same, strict=True)],
            named=not ordered and not (masked and value == 0),
        )
        for nth, value in enumerate(first.values)
    ]
    if ordered:
        return {first.op: values[0]}
    operators = {}
    if masked:
        operators["mask"] = toml.mask([(arg, test.mask) for arg, test in zip(args, same, strict=True)])
    if len(values) > 1 and first.op == "in":
        return operators | {"in": toml.array(values)}
    if len(values) != 1:
        raise ValueError(f"no test in a policy file: {first}")
    return operators | {"eq" if first.op == "in" else "ne": values[0]}


def _action(parts: Sequence[Rule]) -> dict[str, str]:
    action = parts[0].action
    match action:
        case Emulate(name=name):
            return {"emulate": toml.text(name)}
        case RewriteSpec():
            return {"rewrite": _rewrite(parts)}
        case Return(value=value, recorded=recorded):
            return {"return": str(value)} | ({} if recorded else {"quiet": "true"})
        case Refuse(recorded=False):
            return {"verdict": toml.text(_word(action)), "quiet": "true"}
        case _:
            return {"verdict": toml.text(_word(action))}


def _rewrite(parts: Sequence[Rule]) -> str:
    """`{ flags = { mask = … }, rusage = 0 }`."""
    specs = [rule.action.changes for rule in parts if isinstance(rule.action, RewriteSpec)]
    shown = []
    for same in zip(*specs, strict=True):
        args = [table.arguments(part.nr)[change[0]] for part, change in zip(parts, same, strict=True)]
        if same[0][1]:
            kept = toml.mask([(arg, change[1]) for arg, change in zip(args, same, strict=True)])
            shown.append(f"{args[0].name} = {{ mask = {kept} }}")
        else:
            value = toml.number([(arg, change[2]) for arg, change in zip(args, same, strict=True)])
            shown.append(f"{args[0].name} = {value}")
    return f"{{ {', '.join(shown)} }}"


# ---- the sections ----


def _sections(policy: Policy) -> Iterator[str]:
    """`[process]` and all others that are fixed sets of fields; what is not set stays out."""
    for name, section in policy._asdict().items():
        if hasattr(section, "_asdict") and not isinstance(section, Decision):
            values = {
                field.replace("_", "-"): _value(value)
                for field, value in section._asdict().items()
                if value not in (None, ())
            }
            yield _lines(f"[{name}]", values)


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case str():
            return toml.text(value)
        case ((_, _), *_) if not isinstance(value[0], str):
            return f"{{ {', '.join(f'{toml.key(name)} = {toml.text(text)}' for name, text in value)} }}"
        case _:
            return toml.array(str(one) if isinstance(one, int) else toml.text(one) for one in value)
