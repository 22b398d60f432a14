"""The kernel's own verdict: compiled filters in force, probed with raw system calls.

The probed calls ignore their arguments and answer with a number above 0, so that one that ran is told
from one that the filter answered. RET_TRACE without a tracer is ENOSYS (seccomp(2)), which no rule uses.
"""

from __future__ import annotations

import random
import signal
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

from sandbox.errors import SetupError
from sandbox.outcome import Allow, Decision, Kill, Refuse, Return
from sandbox.policy.model import Condition, Op, Policy, Rule
from sandbox.seccomp.actions import RET_ACTION, RET_ALLOW, RET_DATA, RET_ERRNO, RET_KILL_PROCESS, RET_TRACE
from sandbox.seccomp.bpf import Insn, Program, encode
from sandbox.seccomp.compile import compile_policy, expected
from sandbox.seccomp.simulate import Simulator, check
from sandbox.seccomp.table import NEGATIVE, action_for
from sandbox.syscalls.call import X32_BIT, Call

GETPID, GETPPID, GETPGRP, GETTID = 39, 110, 111, 186
NUMBERS = (GETPID, GETPPID, GETPGRP, GETTID)
ENOSYS, EINVAL = 38, 22
M64 = 0xFFFF_FFFF_FFFF_FFFF
KILLED = -(1 << 63)
SYSCALL, INT80 = 0, 1
EDGES = [(base + near) & M64 for base in (0, 9, 1 << 31, 1 << 32, 5 << 32, 1 << 63) for near in (-1, 0, 1)]


class Probe(NamedTuple):
    """One raw call: how the kernel is entered, rax, the arguments."""

    call: Call
    entry: int = SYSCALL
    upper: int = 0


class Answer(NamedTuple):
    """0 or the errno of installing a program, and rax after each probe (KILLED + signal where it died)."""

    errno: int
    results: tuple[int, ...]


Batch = Sequence[tuple[Program, Sequence[Probe]]]
Prober = Callable[[Batch], list[Answer]]


@pytest.fixture(scope="module")
def prober(tmp_path_factory: pytest.TempPathFactory) -> Prober:
    program = tmp_path_factory.mktemp("prober") / "prober"
    source = Path(__file__).with_name("filter_prober.c")
    subprocess.run(["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, source], check=True)

    def ask(batch: Batch) -> list[Answer]:
        asked = subprocess.run(
            [program], input=encode_batch(batch), capture_output=True, timeout=60, check=True
        )
        return decode_answers(batch, asked.stdout)

    return ask


def encode_batch(batch: Batch) -> bytes:
    parts = [struct.pack("<I", len(batch))]
    for program, probes in batch:
        parts.append(struct.pack("<II", len(program.insns), len(probes)) + encode(program))
        for call, entry, upper in probes:
            parts.append(struct.pack("<8Q", entry, upper << 32 | call.nr, *call.args))
    return b"".join(parts)


def decode_answers(batch: Batch, raw: bytes) -> list[Answer]:
    numbers = iter(struct.unpack(f"<{len(raw) // 8}q", raw))
    return [Answer(-next(numbers), tuple(next(numbers) for _ in probes)) for _, probes in batch]


def agrees(action: int, result: int) -> bool:
    """True where `result` is what a guest sees of this action."""
    match action & RET_ACTION:
        case 0x7FFF_0000:
            return result > 0
        case 0x0005_0000:
            return result == -(action & RET_DATA)
        case 0x7FF0_0000:
            return result == -ENOSYS
        case _:
            return result == KILLED + signal.SIGSYS


def decided(policy: Policy, supervised: frozenset[int], call: Call) -> int:
    """The action for what the policy decides; x32 numbers are killed before it is asked."""
    if X32_BIT <= call.nr < NEGATIVE:
        return RET_KILL_PROCESS
    return action_for(policy.decide(call), supervised=call.nr in supervised)


def call(nr: int, *args: int) -> Call:
    a = (*args, 0, 0, 0, 0, 0, 0)
    return Call(nr, (a[0], a[1], a[2], a[3], a[4], a[5]))


def random_decision(rng: random.Random) -> Decision:
    errno = rng.choice([n for n in range(1, 134) if n != ENOSYS])
    choices: list[Decision] = [
        Allow("r"),
        Allow("r", watch=True),
        Refuse(errno, "r", recorded=False),
        Refuse(errno, "r", recorded=False),
        Return(-errno, "r", recorded=False),
        Return(0, "r", recorded=False),
        Refuse(errno, "r"),
        Kill("r"),
    ]
    return rng.choice(choices)


def random_condition(rng: random.Random) -> Condition:
    bits: Literal[32, 64] = rng.choice((32, 64))
    full = (1 << bits) - 1
    op: Op = rng.choice(("in", "in", "notin", "lt", "le", "gt", "ge"))
    mask = rng.choice((M64, M64, 0xFF, 0x40, 1 << 63, M64 << 32, 0x1_0000_0001)) & full
    if op in ("in", "notin"):
        values = tuple(rng.choice(EDGES) & mask for _ in range(rng.choice((1, 1, 2, 30))))
        return Condition(rng.randrange(6), op, values, mask, bits)
    return Condition(rng.randrange(6), op, (rng.choice(EDGES) & full,), full, bits, rng.random() < 0.5)


def random_rule(rng: random.Random, nr: int) -> Rule:
    when = tuple(random_condition(rng) for _ in range(rng.choice((0, 1, 1, 1, 2))))
    unless = tuple(random_condition(rng) for _ in range(rng.choice((0, 0, 1, 2))))
    return Rule("r", nr, "call", when, unless, random_decision(rng))


def random_policy(rng: random.Random) -> Policy:
    unlisted = Refuse(rng.randrange(1, 38), "r", recorded=rng.random() < 0.3)
    calls = {nr: random_decision(rng) for nr in NUMBERS if rng.random() < 0.7}
    rules = {nr: tuple(random_rule(rng, nr) for _ in range(rng.choice((1, 3, 8)))) for nr in NUMBERS}
    filler = {nr: random_decision(rng) for nr in range(500, 900) if rng.random() < 0.2}
    return Policy("t", "", "", "", unlisted, filler | calls, rules)


def random_probe(rng: random.Random, policy: Policy) -> Probe:
    odd = (1000, 0x3FFFFFFF, 0x40000000, 0x40000000 | GETPID, 0x80000000 | GETPID, 0xFFFFFFFF)
    nr = rng.choice(NUMBERS) if rng.random() < 0.95 else rng.choice(odd)
    tests = [test for rule in policy.rules.get(nr, ()) for test in (*rule.when, *rule.unless)]
    near = [value + rng.choice((-1, 0, 0, 1)) & M64 for test in tests for value in test.values] + EDGES
    args = [rng.choice(near) if rng.random() < 0.8 else rng.getrandbits(64) for _ in range(6)]
    return Probe(call(nr, *args), upper=rng.choice((0, 0, 0xFFFFFFFF)))


@pytest.mark.parametrize("seed", range(4))
def test_policy_simulation_and_kernel_agree(prober: Prober, seed: int) -> None:
    """`Policy.decide`, the filter simulated, and the kernel: 3,000 probes a seed, 12,000 in all."""
    rng = random.Random(seed)
    policies = [random_policy(rng) for _ in range(30)]
    supervised = [frozenset(nr for nr in NUMBERS if rng.random() < 0.1) for _ in policies]
    batch = [
        (compile_policy(policy, seen), [random_probe(rng, policy) for _ in range(100)])
        for policy, seen in zip(policies, supervised, strict=True)
    ]
    kinds = set()
    for policy, seen, (program, probes), answer in zip(
        policies, supervised, batch, prober(batch), strict=True
    ):
        assert answer.errno == 0
        run = Simulator(program)
        for probe, result in zip(probes, answer.results, strict=True):
            action = run.action(probe.call)
            assert action == expected(policy, seen, probe.call)
            assert action == decided(policy, seen, probe.call)
            assert agrees(action, result), (probe, hex(action), result)
            kinds.add(action & RET_ACTION)
    assert kinds == {RET_ALLOW, RET_ERRNO, RET_TRACE, RET_KILL_PROCESS}


def large_policy() -> Policy:
    """Hundreds of rules that no search can join, so that jumps are far."""
    rules = tuple(
        Rule(
            "r",
            GETPID,
            "getpid",
            (Condition(0, "in", (n * 3,), M64), Condition(1, "in", (n << 32 | 5,), M64)),
            (),
            Refuse(100 + n, "r", recorded=False),
        )
        for n in range(400)
    )
    last = Rule("r", GETPID, "getpid", (Condition(2, "in", tuple(range(0, 600, 2)), M64),), (), Allow("r"))
    unlisted = Refuse(1, "r", recorded=False)
    return Policy("t", "", "", "", unlisted, {GETTID: Allow("r")}, {GETPID: (*rules, last)})


def test_a_large_policy(prober: Prober) -> None:
    policy = large_policy()
    program = compile_policy(policy, frozenset())
    assert len(program.insns) > 3000
    made = [call(GETPID, n * 3, n << 32 | 5 + n % 2, n) for n in range(610)]
    made += [call(GETTID), call(GETPPID), call(0x40000000), call(0xFFFFFFFF)]
    [answer] = prober([(program, [Probe(one) for one in made])])
    assert answer.errno == 0
    for one, result in zip(made, answer.results, strict=True):
        assert agrees(expected(policy, frozenset(), one), result)


def test_the_32_bit_entry_is_killed(prober: Prober) -> None:
    """Where the kernel has no 32-bit entry at all, using it is SIGSEGV."""
    policy = Policy("t", "", "", "", Allow("r"), {}, {})
    program = compile_policy(policy, frozenset())
    [answer] = prober([(program, [Probe(call(20), INT80), Probe(call(GETPID))])])
    assert answer.results[0] in (KILLED + signal.SIGSYS, KILLED + signal.SIGSEGV)
    assert answer.results[1] > 0


def accepted(program: Program) -> bool:
    try:
        check(program)
    except SetupError:
        return False
    return True


def plain(*insns: Insn) -> Program:
    return Program(insns, ("",) * len(insns))


ALLOW = Insn(0x06, 0, 0, RET_ALLOW)


def test_the_checker_is_the_kernels(prober: Prober) -> None:
    """Every opcode of one byte with constants at the edges, jumps to the end and past it."""
    edges = (0, 1, 2, 15, 16, 31, 32, 60, 64, 0xFFFFFFFF)
    programs = [plain(Insn(code, 0, 0, k), ALLOW) for code in range(256) for k in edges]
    programs += [
        plain(Insn(code, jt, jf, 1), ALLOW, ALLOW) for code in (0x15, 0x1D) for jt, jf in ((1, 2), (2, 0))
    ]
    programs += [plain(Insn(code, 1, 1, 1), ALLOW, ALLOW) for code in (0x05, 0x15, 0x45)]
    programs += [plain(Insn(code, 0, 0, 1)) for code in (0x06, 0x16, 0x0E, 0x20, 0x05)]
    programs += [plain(Insn(0x120, 0, 0, 0), ALLOW), plain(Insn(0x02, 0, 0, 3), Insn(0x60, 0, 0, 3), ALLOW)]
    split = (Insn(0x15, 0, 2, 5), Insn(0x02, 0, 0, 0), Insn(0x05, 0, 0, 2), Insn(0, 0, 0, 0))
    programs += [plain(*split, Insn(0x05, 0, 0, k), Insn(0x60, 0, 0, 0), ALLOW) for k in (0, 1)]
    programs += [plain(*[Insn(0, 0, 0, 0)] * count, ALLOW) for count in (4095, 4096)]
    answers = prober([(program, []) for program in programs])
    wrong = [
        (program.insns[:2], answer.errno)
        for program, answer in zip(programs, answers, strict=True)
        if answer.errno != (0 if accepted(program) else EINVAL)
    ]
    assert wrong == []
    assert {answer.errno for answer in answers} == {0, EINVAL}


LOADS = (0, 4, 16, 20, 24, 28, 56, 60)
ALU = (0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0xA4)
JUMPS = (0x15, 0x25, 0x35, 0x45)
OTHERS = (0x00, 0x01, 0x80, 0x81, 0x07, 0x87, 0x84, 0x02, 0x03, 0x60, 0x61)


def random_insn(rng: random.Random, behind: int) -> Insn:
    k = rng.choice((0, 1, 3, 31, 0x80000000, 0xFFFFFFFF, rng.getrandbits(32)))
    match rng.randrange(4):
        case 0:
            return Insn(0x20, 0, 0, rng.choice(LOADS))
        case 1:
            code = rng.choice(ALU)
            return Insn(
                code | rng.choice((0, 8)), 0, 0, rng.randrange(1, 32) if code in (0x64, 0x74) else k or 1
            )
        case 2:
            jt, jf = rng.randrange(min(behind, 9)), rng.randrange(min(behind, 9))
            return Insn(rng.choice(JUMPS) | rng.choice((0, 8)), jt, jf, k)
        case _:
            code = rng.choice(OTHERS)
            return Insn(code, 0, 0, rng.randrange(4) if code in (0x02, 0x03, 0x60, 0x61) else k)


def random_program(rng: random.Random) -> Program:
    """Arithmetic and jumps over all registers, whose result becomes the errno."""
    stores = [Insn(0x02, 0, 0, word) for word in range(4)]
    middle = [random_insn(rng, 12 - place) for place in range(12)]
    end = [Insn(0x54, 0, 0, 0xFFF), Insn(0x44, 0, 0, RET_ERRNO), Insn(0x16, 0, 0, 0)]
    return plain(*stores, *middle, *end)


def test_the_interpreter_is_the_kernels(prober: Prober) -> None:
    rng = random.Random(7)
    batch = []
    for _ in range(300):
        made = [call(rng.choice(NUMBERS), *(rng.choice(EDGES) for _ in range(6))) for _ in range(8)]
        batch.append((random_program(rng), [Probe(one) for one in made]))
    seen = set()
    for (program, probes), answer in zip(batch, prober(batch), strict=True):
        assert answer.errno == 0
        run = Simulator(program)
        for probe, result in zip(probes, answer.results, strict=True):
            action = run.action(probe.call)
            assert agrees(action, result), (program.insns, probe, hex(action), result)
            seen.add(action)
    assert len(seen) > 50
