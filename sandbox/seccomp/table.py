"""A policy as a decision table: which action each call number gets, or which arguments decide it.

The table is the middle phase of compiling: it knows actions and arguments, and nothing of instructions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sandbox.errors import SetupError
from sandbox.outcome import Allow, Refuse, Return
from sandbox.policy.model import Condition, Policy, Rule
from sandbox.seccomp.actions import MAX_ERRNO, RET_ALLOW, RET_ERRNO, RET_KILL_PROCESS, RET_TRACE
from sandbox.seccomp.bpf import MAX_INSNS
from sandbox.syscalls.call import AUDIT_ARCH_X86_64, X32_BIT, Call

NEGATIVE = 0x8000_0000
MASK32 = 0xFFFF_FFFF

# n separate values need at least n tests, and cut a range into 2n + 1 parts.
_MAX_CUTS = 2 * MAX_INSNS + 1

Spans = tuple[tuple[int, int], ...]


class Leaf(NamedTuple):
    """The end of a decision: a 32-bit action value."""

    action: int


class Split(NamedTuple):
    """Argument `arg`, cut to `bits` and masked, decides.

    `cuts` holds (first value, node) in rising order from 0: each node serves the values up to the next.
    """

    arg: int
    bits: int
    mask: int
    cuts: tuple[tuple[int, int], ...]


Node = Leaf | Split


class Table(NamedTuple):
    """Nodes by id, each id greater than those it leads to; `numbers` cuts all 32-bit call numbers.

    `owners` holds, for each node, the call numbers it was made for.
    """

    nodes: tuple[Node, ...]
    owners: tuple[tuple[int, ...], ...]
    numbers: tuple[tuple[int, int], ...]


class _Key(NamedTuple):
    """What of the arguments a test looks at."""

    arg: int
    bits: int
    mask: int


_Tests = dict[_Key, Spans]


def action_for(decision: object, *, supervised: bool = False, record_all: bool = False) -> int:
    """The action value for a decision: what the kernel cannot do alone, or must not, is RET_TRACE.

    `supervised` takes calls that would be allowed to the supervisor, `record_all` all of them.
    """
    action = _kernel_action(decision)
    if record_all or (supervised and action == RET_ALLOW):
        return RET_TRACE
    return action


def _kernel_action(decision: object) -> int:
    match decision:
        case Allow(watch=False):
            return RET_ALLOW
        case Refuse(errno=errno, recorded=False) if 0 <= errno <= MAX_ERRNO:
            return RET_ERRNO | errno
        case Return(value=value, writes=(), recorded=False) if -MAX_ERRNO <= value <= 0:
            return RET_ERRNO | -value
        case _:
            return RET_TRACE


def expected(policy: Policy, supervised: frozenset[int], call: Call, *, record_all: bool = False) -> int:
    """The action a filter for this policy must give this call: what compiling is tested against."""
    if call.arch != AUDIT_ARCH_X86_64 or X32_BIT <= call.nr < NEGATIVE:
        return RET_KILL_PROCESS
    if call.nr >= NEGATIVE:
        return action_for(policy.unlisted, record_all=record_all)
    decision: object = policy.calls.get(call.nr, policy.unlisted)
    for rule in policy.rules.get(call.nr, ()):
        if rule.matches(call):
            decision = rule.action
            break
    return action_for(decision, supervised=call.nr in supervised, record_all=record_all)


def spans(condition: Condition) -> Spans:
    """The masked values for which a condition holds, as ranges (first, last) in rising order, none adjoining.

    Raises SetupError for a condition no policy file can hold: no such argument, or not one limit.
    """
    if not 0 <= condition.index <= 5:
        raise SetupError(f"a condition on argument {condition.index}: a call has arguments 0 to 5")
    top = condition.mask & _full(condition.bits)
    if condition.op in ("in", "notin"):
        found = _points(condition.values, top)
        return found if condition.op == "in" else complement(found, top)
    if len(condition.values) != 1:
        raise SetupError(f"a condition with '{condition.op}' takes one value, not {len(condition.values)}")
    return _ordered(condition, top)


def _full(bits: int) -> int:
    return (1 << bits) - 1


def _points(values: Iterable[int], mask: int) -> Spans:
    possible = sorted({value for value in values if value & mask == value})
    if len(possible) == 1 << mask.bit_count():
        return ((0, mask),)
    joined: list[tuple[int, int]] = []
    for value in possible:
        if joined and joined[-1][1] == value - 1:
            joined[-1] = (joined[-1][0], value)
        else:
            joined.append((value, value))
    return tuple(joined)


def _ordered(condition: Condition, top: int) -> Spans:
    """The values below or above a limit. Signed order is unsigned order with the sign bit flipped."""
    full = _full(condition.bits)
    sign = 1 << (condition.bits - 1) if condition.signed else 0
    limit = condition.values[0] ^ sign
    low, high = {
        "lt": (0, limit - 1),
        "le": (0, limit),
        "gt": (limit + 1, full),
        "ge": (limit, full),
    }[condition.op]
    low, high = max(low, 0), min(high, full)
    halves = ((0, sign - 1), (sign, full)) if sign else ((0, full),)
    parts = [(max(low, first), min(high, last)) for first, last in halves]
    found = sorted((first ^ sign, last ^ sign) for first, last in parts if first <= last)
    return _union((first, min(last, top)) for first, last in found if first <= top)


def _union(ranges: Iterable[tuple[int, int]]) -> Spans:
    joined: list[tuple[int, int]] = []
    for first, last in ranges:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def complement(found: Spans, top: int) -> Spans:
    """The values from 0 to `top` that are in none of these ranges."""
    gaps, start = [], 0
    for first, last in found:
        if first > start:
            gaps.append((start, first - 1))
        start = last + 1
    return (*gaps, (start, top)) if start <= top else tuple(gaps)


def intersect(left: Spans, right: Spans) -> Spans:
    """The values that are in both."""
    common, a, b = [], 0, 0
    while a < len(left) and b < len(right):
        first, last = max(left[a][0], right[b][0]), min(left[a][1], right[b][1])
        if first <= last:
            common.append((first, last))
        if left[a][1] < right[b][1]:
            a += 1
        else:
            b += 1
    return tuple(common)


def _tests(conditions: Sequence[Condition]) -> _Tests | None:
    """One test for each thing looked at, without tests that always hold; None where one never does."""
    tests: _Tests = {}
    for condition in conditions:
        key = _Key(condition.index, condition.bits, condition.mask & _full(condition.bits))
        tests[key] = intersect(tests.get(key, ((0, key.mask),)), spans(condition))
    if not all(tests.values()):
        return None
    return {key: found for key, found in tests.items() if found != ((0, key.mask),)}


class _Partition:
    """Which node serves which value of 0 to `top`; later paint covers earlier."""

    def __init__(self, top: int, cuts: Sequence[tuple[int, int]]) -> None:
        self.top = top
        self.starts = [start for start, _ in cuts]
        self.nodes = [node for _, node in cuts]

    def paint(self, found: Spans, node: int) -> None:
        """Give these values to a node."""
        for first, last in found:
            begin, end = bisect_left(self.starts, first), bisect_right(self.starts, last)
            starts, nodes = [first], [node]
            if last < self.top and (end == len(self.starts) or self.starts[end] != last + 1):
                starts.append(last + 1)
                nodes.append(self.nodes[end - 1])
            self.starts[begin:end], self.nodes[begin:end] = starts, nodes
            if len(self.starts) > _MAX_CUTS:
                self.join()

    def join(self) -> None:
        """Make neighbours with the same node one. Raises SetupError where no filter could hold the rest."""
        parts = self.cuts()
        if len(parts) > _MAX_CUTS:
            raise SetupError(f"the policy is too large: its filter needs more than {MAX_INSNS} instructions")
        self.starts = [start for start, _ in parts]
        self.nodes = [node for _, node in parts]

    def cuts(self) -> tuple[tuple[int, int], ...]:
        """The parts, neighbours with the same node joined."""
        parts: list[tuple[int, int]] = []
        for part in zip(self.starts, self.nodes, strict=True):
            if not parts or parts[-1][1] != part[1]:
                parts.append(part)
        return tuple(parts)


class _Builder:
    """Makes nodes, equal ones once. Between two rules that look at the same thing a partition stays open,
    so that a list of them becomes one search instead of a chain of tests."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.owners: list[dict[int, None]] = []
        self.ids: dict[Node, int] = {}
        self.nr = 0
        self.below = 0
        self.key: _Key | None = None
        self.open = _Partition(0, ())

    def add(self, node: Node) -> int:
        made = self.ids.setdefault(node, len(self.nodes))
        if made == len(self.nodes):
            self.nodes.append(node)
            self.owners.append({})
        self.owners[made][self.nr] = None
        return made

    def start(self, nr: int, below: int) -> None:
        """Begin the chain of call `nr` at its end: what is done where no rule matches."""
        self.nr, self.below, self.key = nr, below, None

    def close(self) -> int:
        """The node for all rules put in front so far."""
        if self.key is not None:
            self.below = self.split(self.key, self.open.cuts())
            self.key = None
        return self.below

    def split(self, key: _Key, cuts: tuple[tuple[int, int], ...]) -> int:
        return self.add(Split(*key, cuts)) if len(cuts) > 1 else cuts[0][1]

    def test(self, key: _Key, found: Spans, yes: int, no: int) -> int:
        partition = _Partition(key.mask, ((0, no),))
        partition.paint(found, yes)
        return self.split(key, partition.cuts())

    def rule(self, rule: Rule, action: int) -> None:
        """Put a rule in front of those below: it is asked before them."""
        when, unless = _tests(rule.when), _tests(rule.unless)
        if when is None or (rule.unless and unless == {}):
            return
        hit, unless = self.add(Leaf(action)), unless or {}
        if not when and not unless:
            self.start(self.nr, hit)
        elif len(when) + len(unless) == 1:
            self.single(when, unless, hit)
        else:
            self.several(when, unless, hit)

    def single(self, when: _Tests, unless: _Tests, hit: int) -> None:
        key, found = next(iter((when or unless).items()))
        if self.key != key:
            self.open = _Partition(key.mask, ((0, self.close()),))
            self.key = key
        self.open.paint(found if when else complement(found, key.mask), hit)

    def several(self, when: _Tests, unless: _Tests, hit: int) -> None:
        below = self.close()
        node = below if unless else hit
        for key, found in reversed(unless.items()):
            node = self.test(key, found, node, hit)
        for key, found in reversed(when.items()):
            node = self.test(key, found, node, below)
        self.below = node


def build_table(policy: Policy, supervised: frozenset[int], *, record_all: bool = False) -> Table:
    """The decision table of a policy. Raises SetupError where it is too large for any filter."""
    builder = _Builder()
    unlisted = builder.add(Leaf(action_for(policy.unlisted, record_all=record_all)))
    numbers = _Partition(MASK32, ((0, unlisted),))
    for nr in sorted(policy.calls.keys() | policy.rules.keys() | supervised):
        if 0 <= nr < X32_BIT:
            numbers.paint(((nr, nr),), _call_node(builder, policy, nr, nr in supervised, record_all))
    numbers.paint(((X32_BIT, NEGATIVE - 1),), builder.add(Leaf(RET_KILL_PROCESS)))
    owners = tuple(tuple(owner) for owner in builder.owners)
    return Table(tuple(builder.nodes), owners, numbers.cuts())


def _call_node(builder: _Builder, policy: Policy, nr: int, supervised: bool, record_all: bool) -> int:
    last = action_for(policy.calls.get(nr, policy.unlisted), supervised=supervised, record_all=record_all)
    builder.start(nr, builder.add(Leaf(last)))
    for rule in reversed(policy.rules.get(nr, ())):
        builder.rule(rule, action_for(rule.action, supervised=supervised, record_all=record_all))
    return builder.close()
