"""What a profile does with a call, worked out anew from the manuals of libseccomp and runc.

Nothing here uses the code under test: entries are looked through one by one for every call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from sandbox.oci.importer import Imported, Target, import_profile
from sandbox.outcome import Allow, Decision, Kill, Refuse, Return
from sandbox.policy.load import loads
from sandbox.policy.model import Policy
from sandbox.syscalls import table
from sandbox.syscalls.call import Call

Profile = dict[str, Any]
Args = tuple[int, int, int, int, int, int]
MASK64 = (1 << 64) - 1

COMPARE: dict[str, Callable[[int, int, int], bool]] = {
    "SCMP_CMP_EQ": lambda register, value, _: register == value,
    "SCMP_CMP_NE": lambda register, value, _: register != value,
    "SCMP_CMP_LT": lambda register, value, _: register < value,
    "SCMP_CMP_LE": lambda register, value, _: register <= value,
    "SCMP_CMP_GT": lambda register, value, _: register > value,
    "SCMP_CMP_GE": lambda register, value, _: register >= value,
    "SCMP_CMP_MASKED_EQ": lambda register, mask, value: register & mask == value & mask,
}
# seccomp(2)'s order of actions, with what a policy says instead of each.
SEVERITY = [
    "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL", "SCMP_ACT_TRAP", "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE", "SCMP_ACT_ERRNO", "SCMP_ACT_LOG", "SCMP_ACT_ALLOW",
]  # fmt: skip


def does(action: str, errno: int | None) -> str:
    """A profile's action as a policy's verdict: an errno's number, or a word."""
    match action.removeprefix("SCMP_ACT_"):
        case "KILL_PROCESS" | "KILL_THREAD" | "KILL" | "TRAP":
            return "kill"
        case "NOTIFY" | "TRACE":
            return "38"
        case "ERRNO":
            return "1" if errno is None else str(errno)
        case "LOG":
            return "watch"
        case _:
            return "allow"


def counts(entry: Profile, caps: Iterable[str], kernel: tuple[int, int]) -> bool:
    includes, excludes = entry.get("includes") or {}, entry.get("excludes") or {}

    def from_kernel(conditions: Profile) -> bool:
        major, minor = conditions["minKernel"].split(".")
        return kernel >= (int(major), int(minor))

    if any(cap not in caps for cap in includes.get("caps") or ()):
        return False
    if includes.get("arches") and "amd64" not in includes["arches"]:
        return False
    if includes.get("minKernel") and not from_kernel(includes):
        return False
    if any(cap in caps for cap in excludes.get("caps") or ()) or "amd64" in (excludes.get("arches") or ()):
        return False
    return not (excludes.get("minKernel") and from_kernel(excludes))


def libseccomp_rules(profile: Profile, call: str, caps: Iterable[str], kernel: tuple[int, int]) -> list[Any]:
    """(action, errno, comparisons) of every rule runc would add for a call."""
    default = does_raw(profile["defaultAction"], profile.get("defaultErrnoRet"))
    found = []
    for entry in profile.get("syscalls") or ():
        names = entry.get("names") or [entry["name"]]
        raw = does_raw(entry["action"], entry.get("errnoRet"))
        if call not in names or not counts(entry, caps, kernel) or raw == default:
            continue
        args = entry.get("args") or []
        alone = len({one["index"] for one in args}) < len(args)
        found += [(*raw, group) for group in ([[one] for one in args] if alone else [args])]
    return found


def does_raw(action: str, errno: int | None) -> tuple[str, int]:
    action = "SCMP_ACT_KILL_THREAD" if action == "SCMP_ACT_KILL" else action
    return action, (1 if errno is None else errno) if action in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE") else 0


def judged(
    profile: Profile, call: str, args: Args, caps: Iterable[str] = (), kernel: tuple[int, int] = (6, 1)
) -> set[str]:
    """What may happen to a call: one verdict, or several of the strictest kind where rules overlap."""
    matched = []
    for action, errno, comparisons in libseccomp_rules(profile, call, caps, kernel):
        asked = [one for one in comparisons if (one["op"], one["value"]) != ("SCMP_CMP_MASKED_EQ", 0)]
        if not asked:
            return {does(action, errno)}
        if all(COMPARE[one["op"]](args[one["index"]], one["value"], one.get("valueTwo", 0)) for one in asked):
            matched.append((action, errno))
    if not matched:
        return {does(profile["defaultAction"], profile.get("defaultErrnoRet"))}
    told = {does(*one) for one in matched}
    for kind in ("kill", "errno", "0", "watch", "allow"):
        of_kind = {one for one in told if one == kind or (kind == "errno" and one.isdigit() and one != "0")}
        if of_kind:
            return of_kind
    raise AssertionError(told)


def narrowed(call: str, args: Args) -> Args:
    """The registers with nothing above what the kernel reads of each argument."""
    kinds = [arg.kind for arg in table.arguments(table.NUMBERS[call])]
    widths = [16 if kind == "mode" else 32 if kind in SHORT else 64 for kind in kinds] + [64] * 6
    a, b, c, d, e, f = (value & ((1 << bits) - 1) for value, bits in zip(args, widths, strict=False))
    return a, b, c, d, e, f


SHORT = ("int", "uint", "fd", "dirfd", "signal", "sockfam")


def verdict(policy: Policy, call: str | int, *args: int) -> str:
    """A policy's decision as `does` words it."""
    nr = table.NUMBERS[call] if isinstance(call, str) else call
    a, b, c, d, e, f = (*(arg & MASK64 for arg in args), *(0,) * (6 - len(args)))
    return worded(policy.decide(Call(nr, (a, b, c, d, e, f))))


def worded(decision: Decision) -> str:
    match decision:
        case Allow(watch=True):
            return "watch"
        case Allow():
            return "allow"
        case Refuse(errno=errno):
            return str(errno)
        case Return(value=value):
            return str(value) if value == 0 else f"return {value}"
        case Kill():
            return "kill"
        case other:
            return repr(other)


def imported(profile: Profile, *caps: str, kernel: tuple[int, int] = (6, 1)) -> Imported:
    return import_profile(json.dumps(profile).encode(), "p.json", Target(frozenset(caps), kernel))


def entry(call: str, action: str = "ALLOW", *args: tuple[Any, ...], **fields: Any) -> Profile:
    """An element of `syscalls`; args as (index, op, value) or (index, "MASKED_EQ", mask, value)."""
    one: Profile = {"names": call.split(), "action": f"SCMP_ACT_{action}", **fields}
    if args:
        one["args"] = [comparison(*arg) for arg in args]
    return one


def comparison(index: int, op: str, value: int, value_two: int | None = None) -> Profile:
    found: Profile = {"index": index, "op": f"SCMP_CMP_{op}", "value": value}
    return found if value_two is None else {**found, "valueTwo": value_two}


def profile(*entries: Profile, default: str = "ERRNO", **fields: Any) -> Profile:
    return {"defaultAction": f"SCMP_ACT_{default}", "syscalls": list(entries), **fields}


class Tools:
    """Everything above, for tests, which cannot import from here."""

    judged = staticmethod(judged)
    narrowed = staticmethod(narrowed)
    verdict = staticmethod(verdict)
    worded = staticmethod(worded)
    imported = staticmethod(imported)
    entry = staticmethod(entry)
    comparison = staticmethod(comparison)
    profile = staticmethod(profile)

    @staticmethod
    def policy(made: Imported) -> Policy:
        return loads(made.text, file="imported.toml")


@pytest.fixture(scope="session")
def oci() -> type[Tools]:
    return Tools
