"""The simulator: the kernel's checker and its interpreter, instruction by instruction."""

from __future__ import annotations

import pytest

from sandbox.errors import SetupError
from sandbox.seccomp.bpf import MAX_INSNS, Insn, Program
from sandbox.seccomp.simulate import Simulator, check, simulate
from sandbox.syscalls.call import Call

RET_A = Insn(0x16, 0, 0, 0)
RET_1 = Insn(0x06, 0, 0, 1)
RET_2 = Insn(0x06, 0, 0, 2)


def program(*insns: Insn) -> Program:
    return Program(insns, ("",) * len(insns))


def op(code: int, k: int = 0, jt: int = 0, jf: int = 0) -> Insn:
    return Insn(code, jt, jf, k)


@pytest.mark.parametrize(
    ("offset", "word"),
    [
        (0, 0x0000_0123),
        (4, 0xC000_003E),
        (8, 0x89AB_CDEF),
        (12, 0x0123_4567),
        (16, 0x1111_0000),
        (20, 0xA000_0000),
        (24, 0x1111_0001),
        (28, 0xA000_0001),
        (56, 0x1111_0005),
        (60, 0xA000_0005),
    ],
)
def test_loads_see_struct_seccomp_data(offset: int, word: int) -> None:
    args = tuple((0xA000_0000 + n) << 32 | 0x1111_0000 + n for n in range(6))
    call = Call(0x123, (args[0], args[1], args[2], args[3], args[4], args[5]), ip=0x0123_4567_89AB_CDEF)
    assert simulate(program(op(0x20, offset), RET_A), call) == word


def test_arch_can_be_given() -> None:
    assert simulate(program(op(0x20, 4), RET_A), Call(1), 0x4000_0003) == 0x4000_0003


@pytest.mark.parametrize(
    ("code", "a", "b", "result"),
    [
        (0x04, 0xFFFFFFFF, 2, 1),
        (0x14, 1, 2, 0xFFFFFFFF),
        (0x24, 0x10000, 0x10001, 0x10000),
        (0x34, 7, 2, 3),
        (0x44, 0x0F, 0xF1, 0xFF),
        (0x54, 0x0F, 0xF1, 0x01),
        (0x64, 0x80000001, 1, 2),
        (0x74, 0x80000001, 1, 0x40000000),
        (0xA4, 0xFF, 0x0F, 0xF0),
    ],
)
def test_arithmetic_by_constant_and_by_x(code: int, a: int, b: int, result: int) -> None:
    assert simulate(program(op(0x00, a), op(code, b), RET_A), Call(0)) == result
    assert simulate(program(op(0x01, b), op(0x00, a), op(code | 8), RET_A), Call(0)) == result


@pytest.mark.parametrize(
    ("code", "a", "b", "taken"),
    [
        (0x15, 5, 5, True),
        (0x15, 5, 6, False),
        (0x25, 6, 5, True),
        (0x25, 5, 5, False),
        (0x25, 0x80000000, 1, True),
        (0x35, 5, 5, True),
        (0x35, 4, 5, False),
        (0x45, 6, 2, True),
        (0x45, 6, 1, False),
    ],
)
def test_jumps_by_constant_and_by_x(code: int, a: int, b: int, taken: bool) -> None:
    tail = (RET_2, RET_1)
    assert simulate(program(op(0x00, a), op(code, b, 1, 0), *tail), Call(0)) == (1 if taken else 2)
    by_x = program(op(0x01, b), op(0x00, a), op(code | 8, 0, 1, 0), *tail)
    assert simulate(by_x, Call(0)) == (1 if taken else 2)


@pytest.mark.parametrize(
    ("insns", "result"),
    [
        ([op(0x00, 7), op(0x84), RET_A], 0xFFFFFFF9),
        ([op(0x00, 7), op(0x07), op(0x00, 1), op(0x87), RET_A], 7),
        ([op(0x00, 7), op(0x02, 3), op(0x00, 1), op(0x60, 3), RET_A], 7),
        ([op(0x01, 7), op(0x03, 15), op(0x01, 1), op(0x61, 15), op(0x87), RET_A], 7),
        ([op(0x80), RET_A], 64),
        ([op(0x81), op(0x87), RET_A], 64),
        ([op(0x05, 1), RET_1, RET_2], 2),
        ([op(0x00, 7), op(0x3C), RET_1], 0),
        ([RET_A], 0),
    ],
    ids=["neg", "tax", "mem", "memx", "len", "lenx", "ja", "div0", "zeroed"],
)
def test_other_instructions(insns: list[Insn], result: int) -> None:
    assert simulate(program(*insns), Call(0)) == result


@pytest.mark.parametrize(
    ("insns", "text"),
    [
        ([], "1 to 4096 instructions, not 0"),
        ([op(0x00)] * MAX_INSNS + [RET_1], "not 4097"),
        ([op(0x00)], "must end with RET"),
        ([op(0x28, 0), RET_1], "no instruction a filter may have"),
        ([op(0x30, 0), RET_1], "no instruction a filter may have"),
        ([op(0x40, 0), RET_1], "no instruction a filter may have"),
        ([op(0x94, 1), RET_1], "no instruction a filter may have"),
        ([op(0xFF, 0), RET_1], "no instruction a filter may have"),
        ([op(0x120, 0), RET_1], "no instruction a filter may have"),
        ([op(0x20, 64), RET_1], "outside seccomp_data"),
        ([op(0x20, 2), RET_1], "outside seccomp_data"),
        ([op(0x20, 0xFFFFF000), RET_1], "outside seccomp_data"),
        ([op(0x05, 1), RET_1], "past the end"),
        ([op(0x05, 0xFFFFFFFF), RET_1], "past the end"),
        ([op(0x15, 0, 1, 0), RET_1], "past the end"),
        ([op(0x1D, 0, 0, 1), RET_1], "past the end"),
        ([op(0x15, 0, 0, 0)], "past the end"),
        ([op(0x60, 16), RET_1], "no such memory word"),
        ([op(0x34, 0), RET_1], "division by 0"),
        ([op(0x64, 32), RET_1], "too wide a shift"),
        ([op(0x74, 32), RET_1], "too wide a shift"),
        ([op(0x60, 0), RET_1], "never stored"),
        ([op(0x15, 0, 1, 0), op(0x02, 0), op(0x60, 0), RET_1], "never stored"),
        ([op(0x02, 0), op(0x60, 1), RET_1], "never stored"),
    ],
)
def test_the_checker_refuses(insns: list[Insn], text: str) -> None:
    with pytest.raises(SetupError, match=text):
        check(program(*insns))
    with pytest.raises(SetupError, match=text):
        simulate(program(*insns), Call(0))


def test_a_shift_by_x_counts_modulo_32() -> None:
    for code, result in ((0x6C, 0x10), (0x7C, 0x4)):
        assert simulate(program(op(0x01, 33), op(0x00, 8), op(code), RET_A), Call(0)) == result


def test_a_memory_word_need_only_be_stored_on_the_paths_to_its_load() -> None:
    stored = (op(0x15, 5, 0, 2), op(0x02, 0), op(0x05, 2))
    check(program(*stored, op(0x00, 0), op(0x05, 1), op(0x60, 0), RET_A))


def test_trace_names_the_instructions_that_ran() -> None:
    run = Simulator(program(op(0x20, 0), op(0x15, 9, 1, 0), RET_1, RET_2))
    assert run.trace(Call(9)) == (2, [0, 1, 3])
    assert run.trace(Call(8)) == (1, [0, 1, 2])
