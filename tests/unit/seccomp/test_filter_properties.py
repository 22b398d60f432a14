"""Random policies and calls: what the filter answers is what the specification says."""

from __future__ import annotations

from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.outcome import Allow, Decision, Emulate, Kill, Refuse, Return
from sandbox.policy.model import Condition, Op, Policy, RewriteSpec, Rule
from sandbox.seccomp.bpf import MAX_JUMP, decode, encode
from sandbox.seccomp.compile import compile_policy, expected
from sandbox.seccomp.simulate import Simulator
from sandbox.seccomp.table import action_for
from sandbox.syscalls.call import AUDIT_ARCH_X86_64, Call

NUMBERS = (0, 1, 2, 3, 9, 56, 57, 435)
M64 = 0xFFFF_FFFF_FFFF_FFFF

DECISIONS: st.SearchStrategy[Decision | RewriteSpec] = st.sampled_from(
    [
        Allow("r"),
        Allow("r", watch=True),
        Refuse(1, "r", recorded=False),
        Refuse(2, "r", recorded=False),
        Refuse(38, "r"),
        Return(0, "r", recorded=False),
        Return(-3, "r", recorded=False),
        Return(7, "r", recorded=False),
        Kill("r"),
        Emulate("fstat", "r"),
        RewriteSpec(((0, 0, 1),), "r"),
    ]
)
ANSWERS = DECISIONS.filter(lambda decision: not isinstance(decision, RewriteSpec))

# Values where words, signs and masks begin and end, so that calls and conditions often meet.
EDGES = sorted(
    {(base + near) & M64 for base in (0, 7, 0x40, 1 << 31, 1 << 32, 5 << 32, 1 << 63) for near in (-1, 0, 1)}
)
VALUES = st.sampled_from(EDGES) | st.integers(0, 12) | st.integers(0, M64)
MASKS = st.sampled_from(
    [0, 1, 0x40, 0x6, 0xFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0001, 3 << 62, M64 << 32 & M64]
)


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    bits: Literal[32, 64] = draw(st.sampled_from((32, 64)))
    full = (1 << bits) - 1
    op: Op = draw(st.sampled_from(("in", "notin", "lt", "le", "gt", "ge")))
    index = draw(st.integers(0, 2))
    if op in ("in", "notin"):
        mask = draw(st.just(M64) | MASKS) & full
        values = [value & full for value in draw(st.lists(VALUES, max_size=12))]
        if draw(st.booleans()):
            values = [value & mask for value in values]
        return Condition(index, op, tuple(values), mask, bits)
    return Condition(index, op, (draw(VALUES) & full,), full, bits, draw(st.booleans()))


@st.composite
def rules(draw: st.DrawFn, nr: int) -> Rule:
    sizes = st.sampled_from((0, 1, 1, 1, 2, 3))
    when, unless = (tuple(draw(conditions()) for _ in range(draw(sizes))) for _ in range(2))
    return Rule("r", nr, "call", when, unless if draw(st.booleans()) else (), draw(DECISIONS))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    listed = draw(st.dictionaries(st.sampled_from(NUMBERS), ANSWERS))
    ruled = draw(st.lists(st.sampled_from(NUMBERS), max_size=3, unique=True))
    by_nr = {nr: tuple(draw(st.lists(rules(nr), min_size=1, max_size=6))) for nr in ruled}
    unlisted = draw(ANSWERS)
    return Policy("t", "", "", "", unlisted, listed, by_nr)  # type: ignore[arg-type]  # no RewriteSpec in ANSWERS


def interesting(policy: Policy) -> list[int]:
    """Values on and beside every limit of a policy's conditions."""
    found = set(EDGES)
    for chain in policy.rules.values():
        for rule in chain:
            for condition in (*rule.when, *rule.unless):
                for value in condition.values:
                    found |= {(value + near) & M64 for near in (-1, 0, 1, 1 << 32, ~condition.mask)}
    return sorted(found)


@st.composite
def calls(draw: st.DrawFn, policy: Policy) -> Call:
    value = st.sampled_from(interesting(policy)) | VALUES
    edges = (0x3FFFFFFF, 0x40000000, 0x40000038, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    common = st.sampled_from(tuple(policy.rules) or NUMBERS)
    nr = draw(common | common | st.sampled_from(NUMBERS) | st.sampled_from(edges) | st.integers(0, 500))
    arch = draw(st.sampled_from((AUDIT_ARCH_X86_64,) * 9 + (0x40000003,)))
    return Call(nr, (draw(value), draw(value), draw(value), 0, 0, 0), arch)


SUPERVISED = st.frozensets(st.sampled_from(NUMBERS))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data(), policies(), SUPERVISED, st.sampled_from((False, False, False, True)))
def test_the_filter_answers_as_specified(
    data: st.DataObject, policy: Policy, supervised: frozenset[int], record_all: bool
) -> None:
    program = compile_policy(policy, supervised, record_all=record_all)
    run = Simulator(decode(encode(program)))
    for call in data.draw(st.lists(calls(policy), min_size=8, max_size=20)):
        assert run.action(call) == expected(policy, supervised, call, record_all=record_all)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data(), policies())
def test_the_specification_is_the_policys_decision(data: st.DataObject, policy: Policy) -> None:
    for call in data.draw(st.lists(calls(policy), min_size=4, max_size=8)):
        if call.arch == AUDIT_ARCH_X86_64 and call.nr < 0x40000000:
            action = expected(policy, frozenset(), call)
            matched = [rule for rule in policy.rules.get(call.nr, ()) if rule.matches(call)]
            rewritten = bool(matched) and isinstance(matched[0].action, RewriteSpec)
            assert action == (0x7FF00000 if rewritten else action_for(policy.decide(call)))


@st.composite
def long_chains(draw: st.DrawFn, nr: int) -> tuple[Rule, ...]:
    """Rules of two conditions and an answer of their own each, which no search can join."""
    pairs = draw(st.lists(st.tuples(conditions(), conditions()), min_size=40, max_size=120))
    return tuple(
        Rule("r", nr, "call", pair, (), Refuse(place + 1, "r", recorded=False))
        for place, pair in enumerate(pairs)
    )


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.data(), long_chains(56), long_chains(57))
def test_long_policies_jump_right(
    data: st.DataObject, first: tuple[Rule, ...], second: tuple[Rule, ...]
) -> None:
    listed: dict[int, Decision] = {nr: Allow("r") for nr in range(0, 300, 2)}
    unlisted = Refuse(38, "r", recorded=False)
    policy = Policy("t", "", "", "", unlisted, listed, {56: first, 57: second})
    program = compile_policy(policy, frozenset())
    assert max(max(insn.jt, insn.jf) for insn in program.insns) <= MAX_JUMP
    run = Simulator(program)
    for call in data.draw(st.lists(calls(policy), min_size=10, max_size=20)):
        assert run.action(call) == expected(policy, frozenset(), call)
