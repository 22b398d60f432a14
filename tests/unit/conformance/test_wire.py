"""The prober's language, both ways."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.conformance import wire
from sandbox.conformance.probe import Block, Probe, Step, arena, result, stack
from sandbox.errors import UsageError


def step(rax: int | None, changed: int = 0, *, status: int = -1, childless: int = 1) -> bytes:
    state = 0 if rax is None else 2
    return struct.pack("<IIIiqQq", state, 1, 2, status, rax or 0, changed, childless)


def report(
    levels: list[bytes], *, status: int = -1, memory: tuple[int, int] = (0, 0), index: int = 0
) -> bytes:
    body = struct.pack("<IIIiIIII", wire.MAGIC, index, len(levels), status, *memory, 0, 0) + b"".join(levels)
    return struct.pack("<I", len(body)) + body


def level(*steps: bytes, child: tuple[int, int, int] = (0, 0, 0)) -> bytes:
    return struct.pack("<QQQII", *child, len(steps), 0) + b"".join(steps)


def test_a_call_that_came_back() -> None:
    [(index, seen)] = wire.decode(report([level(step(5)), level()], memory=(8, 16), index=3))
    assert index == 3
    assert (seen.rax, seen.died, seen.exited, seen.hung) == (5, None, None, False)
    assert seen.memory_changed == (8, 16)
    assert seen.changed_registers == frozenset()
    assert seen.child is None


def test_registers_but_those_the_instruction_changes() -> None:
    every = (1 << len(wire.REGISTERS)) - 1
    [(_, seen)] = wire.decode(report([level(step(0, every))]))
    assert seen.changed_registers == set(wire.REGISTERS) - {"rax", "rcx", "r11"}
    [(_, seen)] = wire.decode(report([level(step(0, 1 << 6))]))
    assert seen.changed_registers == {"r9"}
    [(_, seen)] = wire.decode(report([level(step(0, 1 << 33 | 1 << 34))]))
    assert seen.changed_registers == {"fs_base", "gs_base"}


def test_a_child() -> None:
    born = level(step(1), child=(1 << 6, 0x7000, 4))
    [(_, seen)] = wire.decode(report([level(step(77, status=3 << 8)), born]))
    assert seen.child == (frozenset({"r9"}), 0x7000, 4, 3 << 8)


@pytest.mark.parametrize(
    ("childless", "says"), [(-10, True), (0, False), (5, False), (1, None), (-38, None), (-1, None)]
)
def test_whether_there_is_a_child(childless: int, says: bool | None) -> None:
    [(_, seen)] = wire.decode(report([level(step(-38, childless=childless))]))
    assert seen.steps[0][0].childless is says


@pytest.mark.parametrize(
    ("status", "died", "exited"), [(9, "SIGKILL", None), (31, "SIGSYS", None), (7 << 8, None, 7)]
)
def test_a_call_that_did_not(status: int, died: str | None, exited: int | None) -> None:
    [(_, seen)] = wire.decode(report([level(step(None))], status=status))
    assert (seen.rax, seen.died, seen.exited) == (None, died, exited)


def test_a_report_that_was_cut_off() -> None:
    whole = report([level(step(1))])
    assert len(list(wire.decode(whole + whole[:-1]))) == 1


@pytest.mark.parametrize("at", [4, 12, 4 + 24, 4 + 32 + 24])
def test_a_damaged_report(at: int) -> None:
    whole = bytearray(report([level(step(1))]))
    whole[at : at + 4] = b"\xff\xff\xff\x7f"
    with pytest.raises(ValueError, match="damaged"):
        list(wire.decode(bytes(whole)))


@given(st.binary(max_size=200))
def test_any_bytes_are_reports_or_a_value_error(data: bytes) -> None:
    try:
        list(wire.decode(data))
    except ValueError:
        pass


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (Probe(1, (0,) * 7), "six arguments"),
        (Probe(1, before=(Step(1),) * 80), "levels of"),
        (Probe(1, children=((),) * 10), "levels of"),
        (Probe(1, look=(65530, 10)), "its own memory"),
        (Probe(1, memory=((65530, bytes(10)),)), "do not fit"),
        (Probe(1, (bytes(30000),)), "do not fit"),
    ],
)
def test_what_the_prober_cannot_do(probe: Probe, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        wire.encode(0, probe, isolate=False)


def test_a_probe_in_bytes() -> None:
    probe = Probe(
        -1, (-1, arena(4), result(2, 1), b"ab", Block((stack(), b"c"))), memory=((7, b"m"),), look=(1, 2)
    )
    data = wire.encode(9, probe, isolate=True)
    assert struct.unpack_from("<6I", data) == (9, 1, 1, 2, 5, 2)
    assert data[24 : 24 + 17] == struct.pack("<IIQ", 7, 6, 1) + b"m"
    assert struct.pack("<QQ", 2, 1 << 8 | 2) in data
    assert struct.pack("<QII", (1 << 64) - 1, 0, 0) in data


def test_what_is_added_to_a_result() -> None:
    for plus in (4096, -1):
        probe = Probe(12, (result(2, 1, plus),))
        (kind, number) = struct.unpack_from("<Qq", wire.encode(0, probe, isolate=False), 24 + 4 + 16)
        assert (kind, number & 0xFFFF, number >> 16) == (2, 1 << 8 | 2, plus)
