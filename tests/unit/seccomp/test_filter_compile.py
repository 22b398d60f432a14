"""Compiled policies: (policy, call) to action, by the table."""

from __future__ import annotations

from typing import Literal

import pytest

from sandbox.outcome import Allow, Decision, Emulate, Kill, Refuse, Return
from sandbox.policy.model import Condition, Op, Policy, RewriteSpec, Rule
from sandbox.seccomp.actions import describe
from sandbox.seccomp.compile import compile_policy, expected
from sandbox.seccomp.simulate import simulate
from sandbox.syscalls.call import Call

M32, M64 = 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF
OK = Allow("calls")
NOSYS = Refuse(38, "unlisted")
QUIET = Refuse(38, "unlisted", recorded=False)
NONE: frozenset[int] = frozenset()


def policy(calls: dict[int, Decision] | None = None, *rules: Rule, unlisted: Decision = QUIET) -> Policy:
    by_nr: dict[int, tuple[Rule, ...]] = {}
    for rule in rules:
        by_nr[rule.nr] = (*by_nr.get(rule.nr, ()), rule)
    return Policy("test", "", "", "", unlisted, calls or {}, by_nr)


def no(errno: int) -> Refuse:
    return Refuse(errno, "r", recorded=False)


def rule(
    action: Decision | RewriteSpec,
    when: tuple[Condition, ...] = (),
    unless: tuple[Condition, ...] = (),
    nr: int = 56,
) -> Rule:
    return Rule("r", nr, "call", when, unless, action)


def arg(
    index: int, op: Op, *values: int, mask: int = M64, bits: Literal[32, 64] = 64, signed: bool = False
) -> Condition:
    return Condition(index, op, values, mask & ((1 << bits) - 1), bits, signed)


def call(nr: int, *args: int) -> Call:
    a = (*args, 0, 0, 0, 0, 0, 0)
    return Call(nr, (a[0], a[1], a[2], a[3], a[4], a[5]))


def act(compiled: Policy, made: Call, supervised: frozenset[int] = NONE, *, record_all: bool = False) -> str:
    """The action of the filter, which must be that of the specification."""
    action = simulate(compile_policy(compiled, supervised, record_all=record_all), made)
    assert action == expected(compiled, supervised, made, record_all=record_all)
    return describe(action)


CLONE = policy(
    {0: OK, 1: OK, 56: OK, 202: Return(0, "s", recorded=False), 16: Refuse(25, "calls", recorded=False)},
    rule(no(38), unless=(arg(0, "in", 0x4111),)),
    rule(no(22), when=(arg(1, "in", 0),)),
)


@pytest.mark.parametrize(
    ("made", "action"),
    [
        (call(0), "ALLOW"),
        (call(1, M64, M64, M64), "ALLOW"),
        (call(2), "ERRNO(ENOSYS)"),
        (call(16, 0x5401), "ERRNO(ENOTTY)"),
        (call(202), "ERRNO(0)"),
        (call(500), "ERRNO(ENOSYS)"),
        (call(0x3FFFFFFF), "ERRNO(ENOSYS)"),
        (call(0x40000000), "KILL_PROCESS"),
        (call(0x40000001), "KILL_PROCESS"),
        (call(0x40000000 | 56, 0x4111, 0x1000), "KILL_PROCESS"),
        (call(0x7FFFFFFF), "KILL_PROCESS"),
        (call(0x80000000), "ERRNO(ENOSYS)"),
        (call(0x80000000 | 1), "ERRNO(ENOSYS)"),
        (call(0xFFFFFFFF), "ERRNO(ENOSYS)"),
        (call(0)._replace(arch=0x40000003), "KILL_PROCESS"),
        (call(0)._replace(arch=0xC00000B7), "KILL_PROCESS"),
        (call(0)._replace(arch=0), "KILL_PROCESS"),
        (call(0x80000000)._replace(arch=0x40000003), "KILL_PROCESS"),
        (call(56, 0x4111, 0x1000), "TRACE"),
        (call(56, 0x4111, 1 << 32), "TRACE"),
        (call(56, 0x4111, 0), "ERRNO(EINVAL)"),
        (call(56, 0x4100, 0), "ERRNO(ENOSYS)"),
        (call(56, 0x4101, 0x1000), "ERRNO(ENOSYS)"),
        (call(56, 0x4110, 0x1000), "ERRNO(ENOSYS)"),
        (call(56, 0x804111, 0x1000), "ERRNO(ENOSYS)"),
        (call(56, 0x1_0000_4111, 0x1000), "ERRNO(ENOSYS)"),
        (call(56, 0x8000_0000_0000_4111, 0x1000), "ERRNO(ENOSYS)"),
        (call(56, 0x3D0F00, 0x1000), "ERRNO(ENOSYS)"),
        (call(56, 0x1200011, 0), "ERRNO(ENOSYS)"),
        (call(56, 0, 0), "ERRNO(ENOSYS)"),
        (call(56, M64, 0x1000), "ERRNO(ENOSYS)"),
        (call(56, 0x4111 << 32, 0x1000), "ERRNO(ENOSYS)"),
    ],
)
def test_the_clone_rule(made: Call, action: str) -> None:
    assert act(CLONE, made, frozenset({56})) == action


@pytest.mark.parametrize(
    ("decision", "plain", "supervised"),
    [
        (OK, "ALLOW", "TRACE"),
        (Allow("r", watch=True), "TRACE", "TRACE"),
        (no(13), "ERRNO(EACCES)", "ERRNO(EACCES)"),
        (Refuse(13, "r"), "TRACE", "TRACE"),
        (Return(-2, "r", recorded=False), "ERRNO(ENOENT)", "ERRNO(ENOENT)"),
        (Return(9, "r", recorded=False), "TRACE", "TRACE"),
        (Kill("r"), "TRACE", "TRACE"),
        (Emulate("fstat", "r"), "TRACE", "TRACE"),
    ],
)
def test_every_place_of_a_decision(decision: Decision, plain: str, supervised: str) -> None:
    listed = policy({9: decision})
    ruled = policy({9: no(1)}, rule(decision, (arg(0, "in", 5),), nr=9))
    unlisted = policy({0: OK}, unlisted=decision)
    for one, made in ((listed, call(9)), (ruled, call(9, 5)), (unlisted, call(9))):
        assert act(one, made) == plain
        assert act(one, made, frozenset({9})) == supervised
        assert act(one, made, frozenset({9}), record_all=True) == "TRACE"
    assert act(unlisted, call(0xFFFFFFFF), frozenset({0xFFFFFFFF})) == plain


def test_rewrites_are_the_supervisors() -> None:
    one = policy({9: OK}, rule(RewriteSpec(((0, 0, 1),), "r"), (arg(0, "in", 5),), nr=9))
    assert act(one, call(9, 5)) == "TRACE"
    assert act(one, call(9, 6)) == "ALLOW"


NEG = -1 & M64
MIN64, MAX64 = 1 << 63, (1 << 63) - 1


@pytest.mark.parametrize(
    ("condition", "inside", "outside"),
    [
        (arg(0, "in", 5), [5], [4, 6, 5 | 1 << 32, 5 << 32, M64]),
        (arg(0, "in"), [], [0, 1, M64]),
        (arg(0, "notin"), [0, 1, M64], []),
        (arg(0, "notin", 0), [1, 1 << 32, M64], [0]),
        (arg(0, "notin", 3, 5), [2, 4, 6, 3 << 32], [3, 5]),
        (arg(0, "in", 0, M64), [0, M64], [1, M32, M32 << 32, M64 - 1]),
        (arg(0, "in", 1, 1 << 32, 1 << 32 | 1), [1, 1 << 32, 1 << 32 | 1], [0, 2, 1 << 33, 2 << 32 | 1]),
        (arg(0, "in", M32, 1 << 32), [M32, 1 << 32], [M32 - 1, 1 << 32 | 1, M64]),
        (arg(0, "in", 5, bits=32), [5, 5 | 1 << 32, 5 | M32 << 32], [4, 6, 5 << 32]),
        (arg(0, "in", M32, bits=32), [M32, M64], [M32 - 1, M32 << 32]),
        (arg(0, "in", 0, mask=0x7), [0, 8, 1 << 32, M64 ^ 7], [1, 2, 4, 7, 9]),
        (arg(0, "in", 0x40, mask=0x40), [0x40, M64], [0, 0x80, M64 ^ 0x40]),
        (arg(0, "in", 6, mask=0x6), [6, 7, 14], [0, 2, 4, 5]),
        (arg(0, "in", 0, 1, 2, 3, mask=0x3), [0, 5, M64], []),
        (arg(0, "in", 8, mask=0x7), [], [0, 8, M64]),
        (arg(0, "in", 0, mask=0), [0, M64], []),
        (arg(0, "in", 1, mask=0), [], [0, 1, M64]),
        (arg(0, "in", 1 << 40, mask=1 << 40), [1 << 40, M64], [0, 1 << 41, M32]),
        (arg(0, "in", 0, mask=M32 << 32), [0, M32], [1 << 32, M64]),
        (arg(0, "in", 7 << 32, mask=M32 << 32), [7 << 32, 7 << 32 | M32], [7, 6 << 32 | M32, 8 << 32]),
        (arg(0, "in", 0x1_0000_0001, mask=0x1_0000_0001), [M64, 3 << 32 | 1], [1, 1 << 32, 2 << 32 | 1]),
        (arg(0, "lt", 0), [], [0, 1, M64]),
        (arg(0, "lt", 1), [0], [1, 1 << 32, M64]),
        (arg(0, "lt", 5 << 32), [0, M32, (5 << 32) - 1], [5 << 32, 5 << 32 | 1, M64]),
        (arg(0, "lt", 5 << 32 | 7), [0, 5 << 32 | 6, 4 << 32 | 9], [5 << 32 | 7, 6 << 32]),
        (arg(0, "le", 5 << 32 | 7), [0, 5 << 32 | 7], [5 << 32 | 8, 6 << 32]),
        (arg(0, "le", M64), [0, M64], []),
        (arg(0, "gt", M64), [], [0, M64]),
        (arg(0, "gt", M32), [1 << 32, M64], [0, M32]),
        (arg(0, "ge", 5 << 32 | 7), [5 << 32 | 7, 6 << 32, M64], [5 << 32 | 6, 7]),
        (arg(0, "ge", 0), [0, M64], []),
        (arg(0, "lt", 10, bits=32), [9, 9 | 1 << 40], [10, M32, M64]),
        (arg(0, "gt", 10, bits=32), [11, M32, M64], [10, 10 | 1 << 63]),
        (arg(0, "lt", 0, signed=True), [NEG, MIN64], [0, 1, MAX64]),
        (arg(0, "lt", MIN64, signed=True), [], [MIN64, NEG, 0, MAX64]),
        (arg(0, "le", MIN64, signed=True), [MIN64], [MIN64 + 1, NEG, 0, MAX64]),
        (arg(0, "gt", MAX64, signed=True), [], [MIN64, NEG, 0, MAX64]),
        (arg(0, "ge", MAX64, signed=True), [MAX64], [MIN64, NEG, 0, MAX64 - 1]),
        (arg(0, "ge", MIN64, signed=True), [MIN64, NEG, 0, MAX64], []),
        (arg(0, "le", MAX64, signed=True), [MIN64, NEG, 0, MAX64], []),
        (arg(0, "gt", NEG, signed=True), [0, 1, MAX64], [NEG, MIN64]),
        (arg(0, "ge", NEG, signed=True), [NEG, 0, MAX64], [NEG - 1, MIN64]),
        (arg(0, "le", 3, signed=True), [3, 0, NEG, MIN64], [4, MAX64, 3 << 32]),
        (arg(0, "lt", 0, bits=32, signed=True), [M32, 1 << 31, M64], [0, (1 << 31) - 1, M32 << 32]),
        (arg(0, "gt", 2, bits=32, signed=True), [3, (1 << 31) - 1], [2, 1 << 31, M32, M64]),
        (arg(0, "ge", M32 - 99, bits=32, signed=True), [M32 - 99, M32, 0, 5], [M32 - 100, 1 << 31]),
        (arg(0, "ge", M32 - 1, bits=32), [M32 - 1, M32], [M32 - 2, 0]),
        (arg(0, "ge", M64 - 1), [M64 - 1, M64], [M64 - 2, M64 >> 1, 0]),
        (arg(0, "ge", 6, mask=0x7), [6, 7, M64], [5, 0, 8]),
        (arg(0, "in", 3, 4, 6, 7, bits=32), [3, 4, 6, 7], [2, 5, 8]),
    ],
)
def test_conditions(condition: Condition, inside: list[int], outside: list[int]) -> None:
    when = policy({56: OK}, rule(no(1), when=(condition,)))
    unless = policy({56: OK}, rule(no(1), unless=(condition,)))
    for value in inside:
        assert act(when, call(56, value)) == "ERRNO(EPERM)"
        assert act(unless, call(56, value)) == "ALLOW"
    for value in outside:
        assert act(when, call(56, value)) == "ALLOW"
        assert act(unless, call(56, value)) == "ERRNO(EPERM)"


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("bits", [32, 64])
def test_each_argument_is_found(index: int, bits: Literal[32, 64]) -> None:
    one = policy({56: OK}, rule(no(1), when=(arg(index, "in", 7, bits=bits),)))
    values = [0, 0, 0, 0, 0, 0]
    assert act(one, call(56, *values)) == "ALLOW"
    values[index] = 7
    assert act(one, call(56, *values)) == "ERRNO(EPERM)"
    values = [7 if place != index else 0 for place in range(6)]
    assert act(one, call(56, *values)) == "ALLOW"


BOTH = (arg(0, "in", 1), arg(1, "in", 2))


@pytest.mark.parametrize(
    ("one", "cases"),
    [
        (rule(no(1), when=BOTH), {(1, 2): 1, (1, 3): 0, (0, 2): 0, (0, 0): 0}),
        (rule(no(1), unless=BOTH), {(1, 2): 0, (1, 3): 1, (0, 2): 1, (0, 0): 1}),
        (rule(no(1), (BOTH[0],), (BOTH[1],)), {(1, 2): 0, (1, 3): 1, (0, 2): 0, (0, 0): 0}),
        (rule(no(1), (BOTH[0],), (BOTH[0],)), {(1, 0): 0, (0, 0): 0}),
        (rule(no(1), (arg(0, "ge", 3), arg(0, "le", 5))), {(2,): 0, (3,): 1, (5,): 1, (6,): 0}),
        (rule(no(1), (), (arg(0, "ge", 3), arg(0, "le", 5))), {(2,): 1, (3,): 0, (5,): 0, (6,): 1}),
        (rule(no(1), (arg(0, "gt", 5), arg(0, "lt", 5))), {(4,): 0, (5,): 0, (6,): 0}),
        (rule(no(1), (), (arg(0, "gt", 5), arg(0, "lt", 5))), {(4,): 1, (5,): 1, (6,): 1}),
        (rule(no(1), (arg(0, "in"),), BOTH), {(1, 2): 0, (0, 0): 0}),
        (rule(no(1), (arg(0, "ge", 0),), ()), {(0,): 1, (9,): 1}),
        (rule(no(1), (), (arg(0, "ge", 0),)), {(0,): 0, (9,): 0}),
        (rule(no(1)), {(0,): 1, (9,): 1}),
    ],
)
def test_when_and_unless(one: Rule, cases: dict[tuple[int, ...], int]) -> None:
    for args, matches in cases.items():
        assert act(policy({56: OK}, one), call(56, *args)) == ("ERRNO(EPERM)" if matches else "ALLOW")


def test_the_first_matching_rule_decides() -> None:
    one = policy(
        {56: OK},
        rule(no(1), (arg(0, "lt", 10),)),
        rule(no(2), (arg(0, "lt", 20),)),
        rule(no(3), (arg(1, "in", 1), arg(0, "lt", 30))),
        rule(no(4), (arg(0, "in", 5, 15, 25, 35),)),
        rule(no(5), (arg(1, "in", 1),)),
        rule(no(6), (arg(0, "in", 99),), (arg(1, "in", 2),)),
        rule(no(7), (arg(0, "ge", 99),)),
        rule(no(8)),
        rule(no(9), (arg(0, "in", 50),)),
    )
    cases = {
        (5, 0): 1, (9, 1): 1, (15, 0): 2, (10, 1): 2, (25, 1): 3, (29, 1): 3, (25, 0): 4, (35, 1): 4,
        (36, 1): 5, (99, 1): 5, (99, 0): 6, (99, 2): 7, (100, 0): 7, (50, 0): 8, (36, 0): 8,
    }  # fmt: skip
    for args, errno in cases.items():
        made = call(56, *args)
        assert simulate(compile_policy(one, NONE), made) == expected(one, NONE, made) == 0x50000 | errno


def test_rules_on_one_argument_may_look_at_different_parts_of_it() -> None:
    one = policy(
        {56: OK},
        rule(no(1), (arg(0, "in", 5),)),
        rule(no(2), (arg(0, "in", 6, 7, bits=32),)),
        rule(no(3), (arg(0, "in", 0x40, mask=0x40),)),
        rule(no(4), (arg(0, "in", 0x80, mask=0xC0),)),
        rule(no(5), (arg(0, "lt", 0, signed=True),)),
    )
    cases = {5: 1, 5 | 1 << 32: 0, 6: 2, 7 | 1 << 63: 2, 0x46: 3, 0x86: 4, 0xC6: 3, 1 << 63: 5, 0: 0}
    for value, errno in cases.items():
        made = call(56, value)
        action = 0x50000 | errno if errno else 0x7FFF0000
        assert simulate(compile_policy(one, NONE), made) == expected(one, NONE, made) == action


def test_equal_tests_of_different_arguments_share_code_but_not_loads() -> None:
    tests = [(56, arg(0, "in", 5)), (57, arg(1, "in", 5)), (58, arg(2, "in", 5, bits=32))]
    one = policy({nr: OK for nr, _ in tests}, *(rule(no(1), (test,), nr=nr) for nr, test in tests))
    for nr, test in tests:
        for place in range(3):
            args = [5 if place == other else 0 for other in range(3)]
            assert act(one, call(nr, *args)) == ("ERRNO(EPERM)" if place == test.index else "ALLOW")


def test_rules_without_a_match_fall_to_calls_then_unlisted() -> None:
    ruled = rule(no(1), (arg(0, "in", 1),))
    assert act(policy({56: no(2)}, ruled), call(56, 9)) == "ERRNO(ENOENT)"
    assert act(policy({}, ruled), call(56, 9)) == "ERRNO(ENOSYS)"
    assert act(policy({}, ruled, unlisted=OK), call(56, 9), frozenset({56})) == "TRACE"


def test_numbers_outside_the_table_cannot_be_listed() -> None:
    one = policy({0x40000000: OK, 0x80000005: OK, 5: OK}, rule(OK, nr=0x40000001))
    assert act(one, call(0x40000000)) == "KILL_PROCESS"
    assert act(one, call(0x40000001)) == "KILL_PROCESS"
    assert act(one, call(0x80000005)) == "ERRNO(ENOSYS)"


def test_record_all_traces_everything_but_foreign_calls() -> None:
    assert act(CLONE, call(202), record_all=True) == "TRACE"
    assert act(CLONE, call(0xFFFFFFFF), record_all=True) == "TRACE"
    assert act(CLONE, call(0x40000000), record_all=True) == "KILL_PROCESS"
    assert act(CLONE, call(0)._replace(arch=1), record_all=True) == "KILL_PROCESS"


def test_expected_agrees_with_decide() -> None:
    assert expected(CLONE, NONE, call(56, 0x4111, 0)) == 0x50000 | 22
    assert CLONE.decide(call(56, 0x4111, 0)) == no(22)
