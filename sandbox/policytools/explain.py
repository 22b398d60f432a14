"""`policy explain`: what one call gets under a policy, by which rule, and where that is enforced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sandbox import rules
from sandbox.outcome import Allow, Decision, Emulate, Kill, Refuse, Return, Rewrite
from sandbox.policy.emulations import EMULATIONS
from sandbox.policy.groups import expand
from sandbox.policy.load import Loaded
from sandbox.policy.model import Policy, RewriteSpec, Rule
from sandbox.policytools import words
from sandbox.policytools.boxes import Budget, TooManyCasesError, example, fixed
from sandbox.policytools.outcomes import Action, outcomes
from sandbox.policytools.places import Place, entry_for, of_unlisted
from sandbox.seccomp.actions import RET_ALLOW, RET_TRACE, describe
from sandbox.seccomp.compile import compile_policy
from sandbox.seccomp.listing import listing
from sandbox.seccomp.simulate import Simulator
from sandbox.seccomp.table import NEGATIVE
from sandbox.syscalls import errnos, table
from sandbox.syscalls.call import X32_BIT, Call

_ANSWERS = {one.name: one.summary for one in EMULATIONS}
_BY_PATH = frozenset((*expand("@file-system"), "execve", "execveat"))
_MOST_OTHERS = 12


class Other(NamedTuple):
    """What the call gets with other values of arguments that were not given, and an example of them."""

    args: dict[int, int]
    verdict: str
    rule: str


class Explanation(NamedTuple):
    """Everything `policy explain` says.

    `verdict` is the policy's; `builtin` what the supervisor's own rules make of an allowed call without
    looking at the guest, None where that depends on it or is the same. `path` is the filter's instructions
    on the way to `filter_action`, of `filter_length` in all. `others` is None where there are too many cases
    to list.
    """

    policy: str
    call: Call
    given: dict[int, int]
    verdict: Decision
    rule: str
    place: Place
    hint: str
    kernel: bool
    why: str
    family: str
    builtin: Refuse | None
    confined: bool
    filter_action: str
    filter_length: int
    path: tuple[str, ...]
    others: tuple[Other, ...] | None


def explain(loaded: Loaded, nr: int, given: Mapping[int, int]) -> Explanation:
    """What call `nr` gets with these arguments, all others 0. Raises SetupError for a policy too large."""
    policy = loaded.policy
    args = [given.get(index, 0) for index in range(6)]
    call = Call(nr, (args[0], args[1], args[2], args[3], args[4], args[5]))
    rule = next((one for one in policy.rules.get(nr, ()) if one.matches(call)), None)
    program = compile_policy(policy, rules.SUPERVISED)
    action, path = Simulator(program).trace(call)
    lines = listing(program).splitlines()
    verdict = _verdict(policy, call)
    return Explanation(
        policy=policy.name,
        call=call,
        given=dict(given),
        verdict=verdict,
        rule=verdict.rule,
        place=_place(loaded, nr, rule),
        hint=rule.hint if rule else "",
        kernel=action != RET_TRACE,
        why=_why(rule.action if rule else verdict, action),
        family=rules.family(nr),
        builtin=rules.refusal(policy, call) if isinstance(verdict, Allow) else None,
        confined=policy.files is not None and _runs(verdict) and table.name(nr) in _BY_PATH,
        filter_action=describe(action),
        filter_length=len(lines),
        path=tuple(lines[place] for place in path),
        others=_others(policy, nr, given),
    )


def _foreign(nr: int) -> bool:
    return X32_BIT <= nr < NEGATIVE


def _runs(verdict: Decision) -> bool:
    return isinstance(verdict, Allow | Rewrite | Emulate)


def _verdict(policy: Policy, call: Call) -> Decision:
    """The policy's decision, but for numbers of the x32 ABI, which no policy decides."""
    return Kill("x32", "a number of the x32 ABI") if _foreign(call.nr) else policy.decide(call)


def _place(loaded: Loaded, nr: int, rule: Rule | None) -> Place:
    if rule is not None:
        return Place(rule.file, rule.line)
    if _foreign(nr):
        return Place("", 0)
    entry = entry_for(loaded.layers, nr)
    return entry.place if entry else of_unlisted(loaded.layers)


def _why(decision: Action, action: int) -> str:
    """Why the call stops in the supervisor, or what the filter does without it."""
    if action != RET_TRACE:
        return "the filter lets it run, with no stop" if action == RET_ALLOW else "the filter answers alone"
    match decision:
        case Emulate(name=name):
            return f"an emulation answers: {_ANSWERS.get(name, name)}"
        case Rewrite() | RewriteSpec():
            return "the rule changes arguments"
        case Allow(watch=True):
            return "its result is recorded"
        case Allow():
            return "a built-in rule looks at it"
        case Kill():
            return "the end is recorded"
        case Return(recorded=False):
            return "the filter can answer with 0 and errnos only"
        case Refuse() | Return():
            return "the answer is recorded"


def _others(policy: Policy, nr: int, given: Mapping[int, int]) -> tuple[Other, ...] | None:
    """What other values of the arguments not given lead to; () where all get the same."""
    chain = policy.rules.get(nr, ())
    found: dict[tuple[str, str], Other] = {}
    budget = Budget()
    try:
        for box, action in outcomes(policy, nr, chain, fixed(given), budget):
            values = example(box, budget)
            free = {index: values[index] for index in sorted({at for at, _ in box}) if index not in given}
            verdict = words.verdict(action, nr)
            found.setdefault((verdict, action.rule), Other(free, verdict, action.rule))
    except TooManyCasesError:
        return None
    return tuple(found.values()) if 1 < len(found) <= _MOST_OTHERS else () if len(found) < 2 else None


# ---- in print ----


def as_text(found: Explanation) -> Iterator[str]:
    """The explanation as lines for a person."""
    nr = found.call.nr
    yield f"{found.policy}: {words.call(nr, found.given)}"
    shown = words.verdict(found.verdict, nr)
    if found.builtin is not None:
        yield f"verdict   {words.verdict(found.builtin, nr)}, by the built-in rule {found.builtin.rule}"
        yield f"          (the policy alone: {shown})"
    else:
        yield f"verdict   {shown}"
    yield f"rule      {found.rule}" + (f" ({found.place})" if found.place.file else "")
    if found.hint:
        yield f"hint      {found.hint}"
    where = "kernel" if found.kernel else "supervised: the call stops, the supervisor acts"
    yield f"enforced  {where}: {found.why}"
    if found.family:
        looks = "looks at it too" if _runs(found.verdict) else "would look at it if it were allowed"
        yield f"built-in  {looks}: {found.family}"
    if found.confined:
        yield "files     the kernel (Landlock) checks paths against [files] too"
    yield from _others_text(found)
    yield f"filter    {found.filter_action}, by {len(found.path)} of {found.filter_length} instructions:"
    yield from (f"  {line}" for line in found.path)


def _others_text(found: Explanation) -> Iterator[str]:
    if found.others is None:
        yield "others    too many cases to list; give more arguments"
    elif found.others:
        yield "others    arguments not given were taken as 0; with other values:"
        for one in found.others:
            args = [f"{words.argument(found.call.nr, at)}={_value(found, at, one)}" for at in one.args]
            yield f"          {' '.join(args) or 'any other'}: {one.verdict} ({one.rule})"


def _value(found: Explanation, index: int, one: Other) -> str:
    return words.shown(found.call.nr, index, one.args[index])


def as_dict(found: Explanation) -> dict[str, Any]:
    """The explanation as one JSON object."""
    nr = found.call.nr
    named = {words.argument(nr, index): value for index, value in sorted(found.given.items())}
    errno = found.verdict.errno if isinstance(found.verdict, Refuse) else None
    builtin = found.builtin
    return {
        "policy": found.policy,
        "call": table.name(nr),
        "nr": nr,
        "args": {name: hex(value) for name, value in named.items()},
        "verdict": words.verdict(found.verdict, nr).partition(" ")[0],
        "shown": words.verdict(found.verdict, nr),
        "errno": None if errno is None else errnos.errno_name(errno),
        "rule": found.rule,
        "file": found.place.file or None,
        "line": found.place.line or None,
        "hint": found.hint or None,
        "enforced": "kernel" if found.kernel else "supervisor",
        "why": found.why,
        "family": found.family or None,
        "builtin": builtin and {"verdict": words.verdict(builtin, nr), "rule": builtin.rule},
        "landlock": found.confined,
        "others": None if found.others is None else [_other(nr, one) for one in found.others],
        "filter": {
            "action": found.filter_action,
            "instructions": found.filter_length,
            "path": list(found.path),
        },
    }


def _other(nr: int, one: Other) -> dict[str, Any]:
    args = {words.argument(nr, index): hex(value) for index, value in one.args.items()}
    return {"args": args, "verdict": one.verdict, "rule": one.rule}
