"""What a rule does with a call it matches: `verdict`, `return`, `emulate` or `rewrite`."""

from __future__ import annotations

from sandbox.outcome import Allow, Decision, Emulate, Kill, Refuse, Return
from sandbox.policy.emulations import EMULATION_CALLS, EMULATIONS
from sandbox.policy.model import RewriteSpec
from sandbox.policy.numbers import argument_index, full_mask, parse_mask, parse_number
from sandbox.policy.source import Table, did_you_mean
from sandbox.policy.values import quote
from sandbox.syscalls import errnos, table

ACTIONS = ("verdict", "return", "emulate", "rewrite")
WORDS = ("allow", "watch", "kill")
VERDICTS = 'an errno such as "ENOSYS", "allow", "watch" or "kill"'
MAX_RETURN = (1 << 63) - 1
NEVER_REWRITTEN = (
    "clone", "clone3", "execve", "execveat", "fork", "kill", "pidfd_open", "pidfd_send_signal",
    "rt_sigqueueinfo", "rt_tgsigqueueinfo", "tgkill", "tkill", "vfork",
)  # fmt: skip
"""The supervisor judges these by the guest's arguments, so the kernel must get no others."""


def parse_action(rule: Table, rule_id: str, nr: int, hint: str) -> Decision | RewriteSpec:
    """The action of a `[[rule]]` for call `nr`. Raises PolicyError unless there is exactly one."""
    used = [key for key in ACTIONS if key in rule.data]
    if len(used) != 1:
        found = "no action" if not used else f"both {used[0]} and {used[1]}"
        raise rule.error(used[1] if used else None, f"a rule with {found}", f"one of {', '.join(ACTIONS)}")
    action = _parse(used[0], rule, rule_id, nr, hint)
    return _quietened(rule, action) if "quiet" in rule.data else action


def _parse(word: str, rule: Table, rule_id: str, nr: int, hint: str) -> Decision | RewriteSpec:
    match word:
        case "verdict":
            return _verdict(rule, rule_id, hint)
        case "return":
            return Return(rule.whole("return", 0, MAX_RETURN), rule_id)
        case "emulate":
            return Emulate(_emulation(rule, nr), rule_id)
        case _:
            return _rewrite(rule, rule_id, nr)


def _quietened(rule: Table, action: Decision | RewriteSpec) -> Decision | RewriteSpec:
    """The action without a record, which only an answer given instead of the call can be."""
    quiet = rule.boolean("quiet")
    if isinstance(action, Refuse | Return):
        return action._replace(recorded=not quiet)
    allowed = "beside a verdict that is an errno, or return = a number"
    raise rule.error("quiet", "quiet on a rule that answers nothing", allowed)


def _verdict(rule: Table, rule_id: str, hint: str) -> Decision:
    match rule.data["verdict"]:
        case "allow":
            return Allow(rule_id)
        case "watch":
            return Allow(rule_id, watch=True)
        case "kill":
            return Kill(rule_id, hint)
        case other:
            return Refuse(parse_errno(rule, "verdict", other, VERDICTS, WORDS), rule_id)


def parse_errno(place: Table, key: str, value: object, allowed: str, words: tuple[str, ...] = ()) -> int:
    """The number of an errno's name. Raises PolicyError, with the nearest name or word, for all else."""
    number = errnos.errno_number(value) if isinstance(value, str) else None
    if number is None:
        near = did_you_mean(value, (*errnos.NUMBERS, *words))
        raise place.error(key, f"{quote(value)} is no errno or verdict", allowed + near)
    return number


def _emulation(rule: Table, nr: int) -> str:
    name, call = rule.data["emulate"], table.name(nr)
    fitting = ", ".join(one.name for one in EMULATIONS if call in one.calls)
    if not isinstance(name, str) or name not in EMULATION_CALLS:
        known = ", ".join(EMULATION_CALLS) + did_you_mean(name, EMULATION_CALLS)
        raise rule.error("emulate", f"unknown emulation {quote(name)}", known)
    if call not in EMULATION_CALLS[name]:
        message = f"{name} is for {', '.join(EMULATION_CALLS[name])}, not for {call}"
        raise rule.error("emulate", message, fitting or f"another action: {call} has no emulation")
    return name


def _rewrite(rule: Table, rule_id: str, nr: int) -> RewriteSpec:
    """`{ flags = { mask = … }, rusage = 0 }`: a mask keeps bits of the guest's value, a value replaces it."""
    changes = rule.table("rewrite")
    assert changes is not None
    if table.name(nr) in NEVER_REWRITTEN:
        message = f"{table.name(nr)} cannot be rewritten: the supervisor judges it by its own arguments"
        raise rule.error("rewrite", message, f"one of {', '.join(ACTIONS[:-1])}")
    if not changes.data:
        raise rule.error("rewrite", "a rewrite that changes nothing", "argument = value, at least once")
    found: list[tuple[int, int, int]] = []
    for name, value in changes.data.items():
        index, arg = argument_index(changes, nr, name)
        if not isinstance(value, dict):
            found.append((index, 0, parse_number(changes, name, arg)))
            continue
        kept = Table(changes.source, (*changes.path, name), value)
        kept.only("key", ("mask",))
        kept.require("mask")
        found.append((index, parse_mask(kept, "mask", arg) & full_mask(arg), 0))
    return RewriteSpec(tuple(found), rule_id)
