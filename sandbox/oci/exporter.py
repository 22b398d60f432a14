"""A policy as a seccomp profile for Docker and OCI runtimes, and what of the policy it can't say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from sandbox.oci.compact import Compared, compact
from sandbox.oci.cubes import EVERYTHING, TooManyCubesError, intersect
from sandbox.oci.profile import Action
from sandbox.oci.regions import LIMIT, Region, apart, matched, unchanged
from sandbox.outcome import Allow, Decision, Emulate, Kill, Refuse, Return
from sandbox.policy.model import ENOSYS, Policy, RewriteSpec
from sandbox.policy.values import printable
from sandbox.syscalls import table

_ALLOW = Action("SCMP_ACT_ALLOW")
_KILL = Action("SCMP_ACT_KILL_PROCESS")
_REFUSE = Action("SCMP_ACT_ERRNO", ENOSYS)
_LOG = Action("SCMP_ACT_LOG")
_CLONE_VM, _CLONE_VFORK, _CLONE_THREAD = 0x100, 0x4000, 0x10000
_NOT_FOR_REGISTERS = ("files", "network", "limits", "environment")
_NOTES = (
    "For x86-64 alone: every other architecture, x86 and x32 among them, is killed.",
    "What the sandbox's supervisor checks beyond the policy's rules is not here, nor is anything recorded.",
    "runc answers ENOSYS to call numbers above all those named here, whatever defaultAction says.",
)
# libseccomp 2.5 makes two to four instructions of each; BPF_MAXINSNS is 4096.
_MOST_COMPARED = 1500

Args = tuple[Compared, ...]
_Rules = dict[tuple[str, Action, Args], list[str]]
# Names of calls by rule and by what a profile can't say of it.
_Lost = dict[tuple[str, str], list[str]]


class Exported(NamedTuple):
    """A profile's JSON, and what of the policy is not in it exactly, a printable line each."""

    text: str
    losses: tuple[str, ...]


def export_policy(policy: Policy) -> Exported:
    """The profile under which libseccomp decides as the policy does, and stricter where it can't."""
    lost: _Lost = {}
    default = _action(policy.unlisted, "unlisted", "every other call", lost)
    rules: _Rules = {}
    for nr in sorted({*policy.calls, *policy.rules}):
        for rule, action, args in _call(policy, nr, default, lost):
            rules.setdefault((rule, action, args), []).append(table.name(nr))
    losses = [f"{rule} ({', '.join(names)}): {what}" for (rule, what), names in lost.items()]
    losses += _elsewhere(policy)
    compared = sum(len(names) for (_, _, args), names in rules.items() if args)
    if compared > _MOST_COMPARED:
        losses.append(f"{compared} rules with comparisons may not fit in the kernel's 4096 instructions")
    # Python's sort is stable: constant answers first, else in the order of the numbers.
    entries = [_entry(key, names) for key, names in sorted(rules.items(), key=lambda item: bool(item[0][2]))]
    profile = {
        "comment": _comments(policy, losses),
        "defaultAction": default.name,
        **_errno("defaultErrnoRet", default),
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": entries,
    }
    return Exported(json.dumps(profile, indent=2) + "\n", tuple(losses))


def _comments(policy: Policy, losses: list[str]) -> list[str]:
    about = f"Exported from the policy {policy.name}" + (
        f": {policy.description}" if policy.description else ""
    )
    waivers = [f"Waiver {waiver.name}: {waiver.reason}" for waiver in policy.waivers]
    lost = [f"Not exactly as in the policy: {loss}" for loss in losses]
    return [printable(line) for line in (about, *_NOTES, *waivers, *lost)]


def _elsewhere(policy: Policy) -> Iterator[str]:
    """What a policy sets that no seccomp filter can."""
    for section in _NOT_FOR_REGISTERS:
        if getattr(policy, section, None) != policy._field_defaults.get(section):
            yield f"[{section}]: not a matter of seccomp"
    process = policy.process
    if process.max is not None or not process.vdso:
        yield "[process]: not a matter of seccomp"
    if not process.threads and _lets_threads(policy):
        yield "[process] threads = false: rules for clone let threads be made"


def _lets_threads(policy: Policy) -> bool:
    """True where a rule allows a clone that is a thread or shares memory as one does (see `rules.clone`)."""
    thread = [(_CLONE_THREAD, _CLONE_THREAD), (_CLONE_VM | _CLONE_VFORK, _CLONE_VM)]
    try:
        found = apart(_wanted(policy, table.NUMBERS["clone"], {}))
    except TooManyCubesError:
        return False
    return any(intersect(one.cubes, thread, LIMIT) for one in found if one.action in (_ALLOW, _LOG))


def _entry(key: tuple[str, Action, Args], names: list[str]) -> dict[str, Any]:
    rule, action, args = key
    entry: dict[str, Any] = {"names": names, "action": action.name, **_errno("errnoRet", action)}
    if args:
        entry["args"] = [_argument(one) for one in args]
    return {**entry, "comment": rule}


def _errno(key: str, action: Action) -> dict[str, int]:
    return {key: action.data} if action.name == "SCMP_ACT_ERRNO" else {}


def _argument(one: Compared) -> dict[str, Any]:
    found: dict[str, Any] = {"index": one.index, "value": one.value}
    if one.op == "SCMP_CMP_MASKED_EQ":
        found["valueTwo"] = one.value_two
    return {**found, "op": one.op}


def _call(policy: Policy, nr: int, default: Action, lost: _Lost) -> Iterator[tuple[str, Action, Args]]:
    """The rules for one call, as (id, action, comparisons), but those that do what the default does."""
    try:
        wanted = list(_wanted(policy, nr, lost))
        found = apart(wanted[:-1] if wanted[-1].action == default else wanted)
    except TooManyCubesError:
        rule = "too-many-comparisons"
        lost.setdefault((rule, "always refused"), []).append(table.name(nr))
        found = [Region([EVERYTHING], _strictest(policy, nr), rule)]
    for region in found:
        if region.action != default:
            yield from ((region.rule, region.action, args) for args in compact(region.cubes))


def _wanted(policy: Policy, nr: int, lost: _Lost) -> Iterator[Region]:
    """What the policy says of one call, first to last; a rewrite lets run what it would not change.

    The last region holds every call.
    """
    name = table.name(nr)
    for rule in policy.rules.get(nr, ()):
        cubes = matched(rule)
        if isinstance(rule.action, RewriteSpec):
            lost.setdefault((rule.id, "rewrite: what would be rewritten is refused with ENOSYS"), []).append(
                name
            )
            yield Region(intersect(cubes, [unchanged(rule.action)], LIMIT), _ALLOW, rule.id)
            yield Region(cubes, _REFUSE, rule.id)
        else:
            yield Region(cubes, _action(rule.action, rule.id, name, lost), rule.id)
        if not rule.when and not rule.unless:
            return
    last = policy.calls.get(nr, policy.unlisted)
    yield Region([EVERYTHING], _action(last, last.rule, name, lost), last.rule)


def _strictest(policy: Policy, nr: int) -> Action:
    """For a call that can't be told apart by its arguments: killed where some of them are."""
    decisions = [*(rule.action for rule in policy.rules[nr]), policy.calls.get(nr, policy.unlisted)]
    return _KILL if any(isinstance(one, Kill) for one in decisions) else _REFUSE


def _action(decision: Decision, rule: str, call: str, lost: _Lost) -> Action:
    """The action for a decision on a call; what a profile can't say of it is added to what is lost."""
    match decision:
        case Allow(watch=False):
            return _ALLOW
        case Refuse(errno=errno):
            return Action("SCMP_ACT_ERRNO", errno)
        case Return(value=0):
            return Action("SCMP_ACT_ERRNO", 0)
        case Kill():
            return _KILL
        case _:
            pass
    what = _unsayable(decision)
    lost.setdefault((rule, what), []).append(call)
    return _LOG if isinstance(decision, Allow) else _REFUSE


def _unsayable(decision: Decision) -> str:
    """What a profile does instead of a decision it has no action for."""
    match decision:
        case Allow():
            return "watch: SCMP_ACT_LOG lets the call run and logs it, but not its result"
        case Emulate(name=name):
            return f"emulate {name}: refused with ENOSYS"
        case Return(value=value):
            return f"return {value}: refused with ENOSYS"
        case _:
            return "refused with ENOSYS"
