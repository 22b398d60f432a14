"""Probes from a policy's own rules: what stands just inside and just outside each condition, and
its verdict.

Pure. What is expected is what `Policy.decide` says of registers and `sandbox.rules` of the rest, asked
about a prober that stands alone and whose pointers lead nowhere.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sandbox import rules
from sandbox.conformance import harmless
from sandbox.conformance.harmless import Args
from sandbox.outcome import Allow, Emulate, Kill, Refuse, Return, Rewrite, Verdict
from sandbox.policy.model import Condition, Policy, Rule
from sandbox.policytools.boxes import (
    EVERYTHING,
    Box,
    Budget,
    TooManyCasesError,
    decided,
    look,
    matched,
    unmatched,
    value_passing,
)
from sandbox.rules.clone import TASK_LIMIT
from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, X32_BIT, Call

PROBER_PID = -1
"""Stands for the prober's own pid where a verdict returns it: nobody knows it before the run."""
STACK, ARENA = 0x5EED_0000_1000, 0x5EED_0000_2000
"""Stand for addresses in the prober: the top of a child's stack, and memory that may be written."""
LAST_NUMBER = 600
"""Unlisted calls are tried up to this number; 548 and above are no calls on x86-64."""
ODD_NUMBERS = (1000, 0xFFFF, X32_BIT - 1, 0x8000_0000, 0xFFFF_FFFF)
FOREIGN_NUMBERS = (X32_BIT, X32_BIT | 39, X32_BIT | 59, 0x7FFF_FFFF)
MAX_EDGES = 400
"""Values tried of one condition. A condition with more keeps its first and last; the notes say so."""

_GROUP = 1
_CLONE = table.NUMBERS["clone"]


class Derived(NamedTuple):
    """One probe: the call, the verdict on it, and why it is not tried ('' where it is)."""

    id: str
    call: Call
    verdict: Verdict
    skip: str = ""


class Derivation(NamedTuple):
    """All probes of a policy in order, and what the derivation had to leave out, as sentences."""

    probes: tuple[Derived, ...]
    notes: tuple[str, ...]


class _Prober:
    """The guest that makes the calls, as the rules see it."""

    pid = PROBER_PID
    tasks = 1

    def is_guest(self, pid: int) -> bool:
        return False

    def guests(self) -> set[int]:
        return {PROBER_PID}

    def guests_in_group(self, pgid: int) -> set[int]:
        return {PROBER_PID} if pgid == _GROUP else set()

    def is_guest_group(self, pgid: int) -> bool:
        return False  # the first guest is in its caller's group

    def own_group(self) -> int:
        return _GROUP

    def read(self, address: int, length: int) -> bytes:
        raise OSError(errno.EFAULT, "no such address")

    def read_string(self, address: int) -> bytes:
        raise OSError(errno.EFAULT, "no such address")

    def is_directory(self, fd: int) -> bool | None:
        return None

    def program_head(self, path: bytes, length: int) -> bytes | None:
        return None


def expected(policy: Policy, call: Call) -> Verdict:
    """The verdict the prober must meet, of the policy and of the rules that stand in every run."""
    if X32_BIT <= call.nr < 0x8000_0000:
        return Kill("x32", "a number of a foreign ABI")
    return rules.judge(policy, call, _Prober())


def derive(policy: Policy) -> Derivation:
    """Probes for every rule and every number."""
    notes: list[str] = []
    probes: dict[Call, Derived] = {}
    for nr in (*_numbers(policy, notes), *FOREIGN_NUMBERS):
        for args in _arguments(policy, nr, notes):
            call = Call(nr, args)
            if call not in probes:
                probes[call] = _derived(policy, call)
    return Derivation(tuple(probes.values()), tuple(notes))


def _numbers(policy: Policy, notes: list[str]) -> list[int]:
    """Which numbers are tried, in order; of those that are no calls only some where each costs a process."""
    calls = {*table.NUMBERS.values(), *policy.calls, *policy.rules}
    if isinstance(policy.unlisted, Kill):
        no_calls = {nr + 1 for nr in calls} - calls
        notes.append(
            "unlisted calls kill: of the numbers that are no calls, only the first after a call is tried"
        )
    else:
        no_calls = set(range(LAST_NUMBER + 1)) - calls
    return sorted(calls | no_calls | set(ODD_NUMBERS))


def _derived(policy: Policy, call: Call) -> Derived:
    verdict = expected(policy, call)
    skip = _why_not(verdict, call) or _endless(policy, verdict, call) or _reaching(policy, call)
    return Derived(name(call), call, verdict, skip)


def _reaching(policy: Policy, call: Call) -> str:
    """Why a probe is skipped that is answered only after a look at what its pointers lead to."""
    if isinstance(policy.decide(call), Refuse | Kill) or not harmless.reaches_prober(call):
        return ""
    return "points into the prober's own memory"


def _endless(policy: Policy, verdict: Verdict, call: Call) -> str:
    """Why a probe that makes a task is skipped: the task could not end."""
    if table.name(call.nr) not in ("clone", "fork", "vfork", "clone3") or not isinstance(verdict, Allow):
        return ""
    end = policy.decide(Call(table.NUMBERS["exit"]))
    return "" if isinstance(end, Allow | Kill) else f"its child could not exit, for rule {end.rule}"


def _why_not(verdict: Verdict, call: Call) -> str:
    """Why a probe is skipped: what the kernel would do if it is let run, or what the supervisor would."""
    if call.nr in harmless.UNFILTERED:
        return "newer kernels let it past every filter"
    match verdict:
        case Allow():
            return harmless.danger(call)
        case Return(deed=deed) if deed is not None:
            return harmless.danger(call)
        case Rewrite(args=changes):
            changed = list(call.args)
            for index, value in changes:
                changed[index] = value
            return harmless.danger(call._replace(args=_six(changed)))
        case Refuse(rule=rule) if rule == TASK_LIMIT:
            return "reaches [process] max, which ends the run"
        case _:
            return ""


def name(call: Call) -> str:
    """The call with the arguments that differ from the harmless ones: `clone(flags=0x4110)`."""
    names = [arg.name for arg in table.arguments(call.nr)]
    names += [f"arg{index}" for index in range(len(names), 6)]
    usual = harmless.base(call.nr)
    places = {STACK: "a stack", ARENA: "memory"}
    shown = [
        f"{names[index]}={places.get(value) or f'{value:#x}'}"
        for index, value in enumerate(call.args)
        if value != usual[index]
    ]
    return f"{table.name(call.nr)}({', '.join(shown)})"


def _arguments(policy: Policy, nr: int, notes: list[str]) -> Iterator[Args]:
    base = harmless.base(nr)
    yield base
    own = policy.rules.get(nr, ())
    if nr == _CLONE:
        base = (base[0], STACK, *base[2:])
    if isinstance(policy.decide(Call(nr, base)), Emulate):
        writable = _writable(nr, base)
        # An emulation that reads memory would read what nobody knows here.
        match expected(policy, Call(nr, writable)):
            case Return(deed=None):
                yield writable
            case _:
                pass
    try:
        yield from _points(own, base)
    except TooManyCasesError:
        notes.append(f"{table.name(nr)}: its rules are too many to look at every combination")
    for rule in own:
        yield from _around(rule, _inside(own, rule, base), base, notes)


def _writable(nr: int, base: Args) -> Args:
    """The arguments with memory for an answer, and room for it."""
    values = list(base)
    for index, arg in enumerate(table.arguments(nr)):
        values[index] = {"ptr": ARENA, "ulong": 8, "uint": 8}.get(arg.kind, values[index])
    return _six(values)


def _points(own: Sequence[Rule], base: Args) -> Iterator[Args]:
    """One call for each way in which a rule, or none, comes to decide."""
    budget = Budget()
    for box, _ in decided(EVERYTHING, own, budget):
        yield _near(box, base, budget)


def _inside(own: Sequence[Rule], rule: Rule, base: Args) -> Args:
    """A call that this rule decides, or at least matches; `base` where it can match none."""
    budget = Budget()
    try:
        for box, decider in decided(EVERYTHING, own[: own.index(rule) + 1], budget):
            if decider is rule:
                return _near(box, base, budget)
        boxes = matched(EVERYTHING, rule, budget) or unmatched(EVERYTHING, rule, budget)
        return _near(boxes[0], base, budget) if boxes else base
    except TooManyCasesError:
        return base


def _near(box: Box, base: Args, budget: Budget) -> Args:
    """A call of the box that keeps as many harmless arguments as it can."""
    values = list(base)
    for index in {index for index, _ in box}:
        tests = [(mask, found) for (at, mask), found in box.items() if at == index]
        if not all(_passes(values[index], mask, found) for mask, found in tests):
            values[index] = value_passing(tests, budget) or 0
    return _six(values)


def _passes(value: int, mask: int, found: Iterable[tuple[int, int]]) -> bool:
    return any(first <= value & mask <= last for first, last in found)


def _around(rule: Rule, inside: Args, base: Args, notes: list[str]) -> Iterator[Args]:
    """Calls at both sides of each edge of each condition, the other arguments as in `inside`, where this
    rule decides, and then also as in `base`."""
    for condition in (*rule.when, *rule.unless):
        values = _edges(condition, table.arguments(rule.nr)[condition.index].kind in harmless.POINTERS)
        if len(values) > MAX_EDGES:
            argument = table.arguments(rule.nr)[condition.index].name
            notes.append(f"rule {rule.id}: {MAX_EDGES} of {len(values)} edges of {argument} are tried")
            values = [*values[: MAX_EDGES // 2], *values[-MAX_EDGES // 2 :]]
        for start in dict.fromkeys((inside, base)):
            for value in values:
                yield _with(start, condition, value)
        if condition.bits == 32:
            # The kernel takes an int from the lower half of the register, whatever is in the upper.
            yield _with(inside, condition, condition.values[0] | 1 << 63, full=True)
            yield _with(inside, condition, condition.values[0] + 1 | 1 << 32, full=True)


def _edges(condition: Condition, is_pointer: bool) -> list[int]:
    """Values of the condition's masked bits at both sides of every edge, and the least and greatest of the
    type; for a test of a few values, also those that differ in one bit, of addresses such as lead nowhere."""
    mask = look(condition)[1]
    top, sign = (1 << condition.bits) - 1, 1 << (condition.bits - 1)
    values = {(one + step) & top for one in condition.values for step in (-1, 0, 1)}
    values |= {0, mask, sign & mask, (sign - 1) & mask}
    if condition.op in ("in", "notin") and len(condition.values) <= 2:
        flipped = {one ^ 1 << bit for one in condition.values for bit in range(condition.bits)}
        values |= {one for one in flipped if not is_pointer or harmless.leads_nowhere(one)}
    return sorted(value for value in values if value & mask == value)


def _with(args: Args, condition: Condition, value: int, *, full: bool = False) -> Args:
    """The arguments with the bits the condition looks at replaced, or with all bits of that argument."""
    values = list(args)
    mask = MASK64 if full else look(condition)[1]
    values[condition.index] = values[condition.index] & MASK64 & ~mask | value
    return _six(values)


def _six(values: Sequence[int]) -> Args:
    return values[0], values[1], values[2], values[3], values[4], values[5]
