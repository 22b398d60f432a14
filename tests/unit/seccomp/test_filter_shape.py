"""The shape of compiled filters: size, depth, far jumps, and what they may load."""

from __future__ import annotations

from typing import Literal

import pytest

from sandbox.errors import SetupError
from sandbox.outcome import Allow, Decision, Refuse
from sandbox.policy.model import Condition, Op, Policy, Rule
from sandbox.seccomp.bpf import JA, LD_ABS, MAX_INSNS, RET
from sandbox.seccomp.compile import compile_policy, expected
from sandbox.seccomp.simulate import Simulator, check
from sandbox.syscalls.call import Call

M64 = 0xFFFF_FFFF_FFFF_FFFF
OK = Allow("calls")
NONE: frozenset[int] = frozenset()


def no(errno: int) -> Refuse:
    return Refuse(errno, "r", recorded=False)


def policy(calls: dict[int, Decision], *rules: Rule) -> Policy:
    by_nr = {nr: tuple(rule for rule in rules if rule.nr == nr) for nr in {rule.nr for rule in rules}}
    return Policy("test", "", "", "", no(38), calls, by_nr)


def rule(action: Decision, when: tuple[Condition, ...] = (), nr: int = 56) -> Rule:
    return Rule("r", nr, "call", when, (), action)


def arg(index: int, op: Op, *values: int, bits: Literal[32, 64] = 64) -> Condition:
    return Condition(index, op, values, (1 << bits) - 1, bits)


def call(nr: int, *args: int) -> Call:
    a = (*args, 0, 0, 0, 0, 0, 0)
    return Call(nr, (a[0], a[1], a[2], a[3], a[4], a[5]))


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("step", [1, 2, 3, 0x1_0000_0001])
def test_sets_of_hundreds(bits: Literal[32, 64], step: int) -> None:
    values = tuple(1000 + n * step & (1 << bits) - 1 for n in range(600))
    one = policy({56: OK}, rule(no(1), when=(arg(0, "in", *values, bits=bits),)))
    run = Simulator(compile_policy(one, NONE))
    for value in values:
        for near in (value - 1, value, value + 1, value ^ 1 << 40):
            made = call(56, near)
            assert run.action(made) == expected(one, NONE, made)


def many_rules(count: int, nr: int = 56) -> list[Rule]:
    """Rules that no search can join: each looks at two arguments and has an errno of its own."""
    return [
        rule(no(100 + n), (arg(0, "in", n * 7), arg(1, "in", n * 1_0000_0001)), nr=nr) for n in range(count)
    ]


def test_hundreds_of_rules_jump_farther_than_255() -> None:
    one = policy({56: OK, 300: OK}, *many_rules(250), *many_rules(150, nr=57))
    program = compile_policy(one, NONE)
    assert len(program.insns) > 2000
    assert any(insn.code == JA for insn in program.insns)
    run = Simulator(program)
    for nr, count in ((56, 250), (57, 150)):
        for n in range(0, count + 20, 3):
            for args in ((n * 7, n * 1_0000_0001), (n * 7, 5), (5, n * 1_0000_0001)):
                made = call(nr, *args)
                assert run.action(made) == expected(one, NONE, made)
    assert run.action(call(300)) == 0x7FFF0000
    assert run.action(call(0x40000000)) == 0x80000000


def test_many_listed_calls_of_many_actions() -> None:
    one = policy({nr: no(nr % 7 + 1) if nr % 3 else OK for nr in range(0, 1200, 2)})
    run = Simulator(compile_policy(one, NONE))
    for nr in range(1300):
        assert run.action(call(nr)) == expected(one, NONE, call(nr))


@pytest.mark.parametrize(
    "one",
    [
        policy({}, *many_rules(2000)),
        policy({}, rule(no(1), (arg(0, "in", *range(0, 20000, 2)),))),
        policy({}, *(rule(no(n % 9 + 1), (arg(0, "in", n),)) for n in range(10000))),
        policy({nr: no(nr % 2 + 1) for nr in range(10000)}),
    ],
    ids=["rules", "values", "single-rules", "calls"],
)
def test_a_policy_too_large_for_a_filter(one: Policy) -> None:
    with pytest.raises(SetupError, match=f"too large: its filter needs more than {MAX_INSNS} instructions"):
        compile_policy(one, NONE)


def test_a_long_list_of_equal_answers_is_small() -> None:
    rules = [rule(no(1), (arg(0, "in", n),)) for n in range(9999)]
    assert len(compile_policy(policy(dict.fromkeys(range(9000), OK), *rules), NONE).insns) < 30


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (arg(6, "in", 1), "argument 6"),
        (arg(-1, "in", 1), "argument -1"),
        (arg(0, "lt"), "'lt' takes one value, not 0"),
        (arg(0, "ge", 1, 2), "'ge' takes one value, not 2"),
    ],
)
def test_impossible_conditions_are_refused(condition: Condition, text: str) -> None:
    with pytest.raises(SetupError, match=text):
        compile_policy(policy({}, rule(OK, (condition,))), NONE)


def test_constant_answers_load_arch_and_number_only() -> None:
    """What the kernel's constant-action bitmap needs (seccomp_is_const_allow, Linux 5.11)."""
    one = policy(dict.fromkeys(range(0, 400, 3), OK), *many_rules(20), rule(OK, nr=60))
    program = compile_policy(one, NONE)
    run = Simulator(program)
    for nr in range(500):
        path = run.trace(call(nr, 1, 2, 3))[1]
        loads = [program.insns[place].k for place in path if program.insns[place].code == LD_ABS]
        assert loads[:2] == [4, 0]
        assert len(loads) == 2 or nr == 56


def test_no_filter_loads_the_instruction_pointer() -> None:
    for one in (policy({56: OK}), policy({}, *many_rules(50))):
        loads = {insn.k for insn in compile_policy(one, NONE).insns if insn.code == LD_ABS}
        assert not loads & {8, 12}


def test_depth_grows_with_the_logarithm() -> None:
    one = policy({nr: no(nr % 5 + 1) for nr in range(512)}, rule(no(9), (arg(0, "in", *range(0, 1000, 2)),)))
    run = Simulator(compile_policy(one, NONE))
    assert max(len(run.trace(call(nr, 999))[1]) for nr in range(512)) <= 30


@pytest.mark.parametrize("supervised", [NONE, frozenset({0, 56, 77}), frozenset(range(500))])
@pytest.mark.parametrize("record_all", [False, True])
def test_the_kernels_checker_accepts_it_and_all_is_annotated(
    supervised: frozenset[int], record_all: bool
) -> None:
    one = policy({0: OK, 56: OK, 300: no(5)}, *many_rules(40))
    program = compile_policy(one, supervised, record_all=record_all)
    check(program)
    assert all(note for insn, note in zip(program.insns, program.notes, strict=True) if insn.code != RET)
