"""The assembler: labels, jumps that reach too far, and the byte form."""

from __future__ import annotations

import pytest

from sandbox.errors import SetupError
from sandbox.seccomp.bpf import (
    JA,
    JEQ,
    LD_ABS,
    MAX_INSNS,
    RET,
    Branch,
    Goto,
    Insn,
    Item,
    Label,
    Op,
    Program,
    assemble,
    decode,
    encode,
)
from sandbox.seccomp.simulate import Simulator, simulate
from sandbox.syscalls.call import Call

ONE, TWO = 0x7FFF0000, 0x00050001


def loads(count: int) -> list[Item]:
    return [Op(LD_ABS, 0) for _ in range(count)]


def branch_over(near: int, far: int) -> list[Item]:
    """nr == 7 goes to label 1 over `near` loads, any other to label 2 over `far` more and label 1's RET."""
    return [
        Op(LD_ABS, 0),
        Branch(JEQ, 7, 1, 2),
        *loads(near),
        Label(1),
        Op(LD_ABS, 0),
        Op(RET, ONE),
        *loads(far),
        Label(2),
        Op(LD_ABS, 4),
        Op(RET, TWO),
    ]


def test_labels_resolve() -> None:
    program = assemble(branch_over(0, 0))
    assert program.insns == (
        Insn(LD_ABS, 0, 0, 0),
        Insn(JEQ, 0, 2, 7),
        Insn(LD_ABS, 0, 0, 0),
        Insn(RET, 0, 0, ONE),
        Insn(LD_ABS, 0, 0, 4),
        Insn(RET, 0, 0, TWO),
    )


@pytest.mark.parametrize(
    ("near", "far", "stand_ins"),
    [
        (0, 252, 0),
        (0, 253, 0),
        (0, 254, 1),
        (200, 0, 0),
        (253, 0, 0),
        (254, 0, 1),
        (255, 0, 2),
        (256, 0, 2),
        (300, 300, 2),
        (255, 1000, 2),
        (0, 3000, 1),
    ],
)
def test_far_conditional_jumps_get_stand_ins(near: int, far: int, stand_ins: int) -> None:
    program = assemble(branch_over(near, far))
    assert sum(insn.code == JA for insn in program.insns) == stand_ins
    run = Simulator(program)
    assert run.action(Call(7)) == ONE
    assert run.action(Call(8)) == TWO


def test_a_far_ret_is_repeated_not_jumped_to() -> None:
    items = [Op(LD_ABS, 0), Branch(JEQ, 7, 1, 2), Label(2), *loads(300), Op(RET, ONE), Label(1), Op(RET, TWO)]
    program = assemble(items)
    assert program.insns[1:3] == (Insn(JEQ, 0, 1, 7), Insn(RET, 0, 0, TWO))


def test_stand_ins_serve_several_jumps() -> None:
    tests: list[Item] = []
    for place in range(20):
        tests += [Branch(JEQ, place, 1000, place), Label(place)]
    program = assemble([Op(LD_ABS, 0), *tests, *loads(300), Op(RET, ONE), Label(1000), Op(RET, TWO)])
    assert sum(insn == Insn(RET, 0, 0, TWO) for insn in program.insns) == 2
    assert [simulate(program, Call(nr)) for nr in (0, 7, 19, 20)] == [TWO, TWO, TWO, ONE]


def test_goto_takes_no_instruction_where_its_label_follows() -> None:
    assert len(assemble([Goto(1), Label(1), Op(RET, ONE)]).insns) == 1


def test_goto_reaches_any_distance() -> None:
    program = assemble([Op(LD_ABS, 0), Goto(1), *loads(2000), Label(1), Op(LD_ABS, 4), Op(RET, ONE)])
    assert program.insns[1] == Insn(JA, 0, 0, 2000)
    assert simulate(program, Call(0)) == ONE


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([Label(1), Op(LD_ABS, 0), Branch(JEQ, 0, 1, 2), Label(2), Op(RET, ONE)], "label 1 is not ahead"),
        ([Label(1), Op(LD_ABS, 0), Goto(1), Op(RET, ONE)], "label 1 is not ahead"),
        ([Branch(JEQ, 0, 1, 9), Label(1), Op(RET, ONE)], "label 9 is not ahead"),
        ([Goto(1), Op(RET, ONE), Label(1)], "label 1 is not ahead"),
        ([Label(1), Op(LD_ABS, 0), Label(1), Op(RET, ONE)], "label 1 is defined twice"),
        ([Op(LD_ABS, 0)], "must end with RET"),
        ([], "must end with RET"),
        ([*loads(MAX_INSNS), Op(RET, ONE)], "more than 4096 instructions"),
    ],
)
def test_wrong_items_are_refused(items: list[Item], text: str) -> None:
    with pytest.raises(SetupError, match=text):
        assemble(items)


def test_the_longest_program_is_accepted() -> None:
    assert len(assemble([*loads(MAX_INSNS - 1), Op(RET, ONE)]).insns) == MAX_INSNS


def test_notes_follow_their_instructions() -> None:
    items = [Op(LD_ABS, 0, "a"), Branch(JEQ, 7, 1, 2, "b"), Label(2), *loads(300), Op(RET, ONE, "c")]
    program = assemble([*items, Label(1), Op(LD_ABS, 4, "d"), Op(RET, TWO, "e")])
    assert [note for note in program.notes if note] == ["a", "b", "jump on", "c", "d", "e"]
    assert len(program.notes) == len(program.insns)


def test_encode_is_struct_sock_filter() -> None:
    program = Program((Insn(0x15, 1, 2, 0xC000003E), Insn(0x06, 0, 0, 0x7FFF0000)), ("", ""))
    assert encode(program).hex() == "150001023e0000c0" + "060000000000ff7f"


def test_decode_undoes_encode() -> None:
    program = assemble(branch_over(300, 300))
    assert decode(encode(program)).insns == program.insns


@pytest.mark.parametrize("raw", [b"\0", b"\0" * 7, b"\0" * 12])
def test_decode_refuses_part_of_an_instruction(raw: bytes) -> None:
    with pytest.raises(SetupError, match="8-byte instructions"):
        decode(raw)


@pytest.mark.parametrize("insn", [Insn(0x15, 256, 0, 0), Insn(0x06, 0, 0, -1), Insn(0x06, 0, 0, 1 << 32)])
def test_encode_refuses_what_does_not_fit(insn: Insn) -> None:
    with pytest.raises(SetupError, match="does not fit"):
        encode(Program((insn,), ("",)))
