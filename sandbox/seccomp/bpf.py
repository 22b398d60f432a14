"""Classic BPF as values: instructions, an assembler that resolves labels, and the kernel's byte form.

Facts from linux/filter.h and the kernel's filter document: eight bytes an instruction, at most 4096 of
them, every jump forward, a conditional one by at most 255 instructions.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from sandbox.errors import SetupError

LD_ABS: Final = 0x20
AND_K: Final = 0x54
JA: Final = 0x05
JEQ: Final = 0x15
JGT: Final = 0x25
JGE: Final = 0x35
JSET: Final = 0x45
RET: Final = 0x06

MAX_INSNS: Final = 4096
MAX_JUMP: Final = 255

# Offsets in struct seccomp_data (linux/seccomp.h), a little-endian machine's.
NR: Final = 0
ARCH: Final = 4
ARGS: Final = 16
DATA_SIZE: Final = 64

_SOCK_FILTER = struct.Struct("<HBBI")


class Insn(NamedTuple):
    """One `struct sock_filter`: opcode, jumps where true and where false, and the constant."""

    code: int
    jt: int
    jf: int
    k: int


class Program(NamedTuple):
    """A whole filter, and for each instruction a note that says what it is there for."""

    insns: tuple[Insn, ...]
    notes: tuple[str, ...]


class Label(NamedTuple):
    """Names the instruction that follows."""

    name: int


class Op(NamedTuple):
    """An instruction that does not jump: a load, arithmetic, or RET."""

    code: int
    k: int
    note: str = ""


class Branch(NamedTuple):
    """A conditional jump to one of two labels; it never falls through."""

    code: int
    k: int
    yes: int
    no: int
    note: str = ""


class Goto(NamedTuple):
    """Go on at a label; takes no instruction where that is what follows anyway."""

    to: int


Item = Label | Op | Branch | Goto


class _Assembler:
    """Works from the last item to the first, so that every label ahead already has its place.

    Places count instructions from the end, which inserting more in front never changes.
    """

    def __init__(self) -> None:
        self.insns: list[Insn] = []
        self.notes: list[str] = []
        self.homes: dict[int, int] = {}
        self.nearest: dict[int, int] = {}

    def emit(self, insn: Insn, note: str) -> None:
        if len(self.insns) == MAX_INSNS:
            raise SetupError(f"the policy is too large: its filter needs more than {MAX_INSNS} instructions")
        self.insns.append(insn)
        self.notes.append(note)

    def label(self, name: int) -> None:
        if name in self.homes:
            raise SetupError(f"filter label {name} is defined twice")
        self.homes[name] = self.nearest[name] = len(self.insns)

    def distance(self, name: int, places: dict[int, int]) -> int:
        """The jump offset to a label for an instruction put in front of all others."""
        place = places.get(name, 0)
        if not place:
            raise SetupError(f"filter label {name} is not ahead of the jump to it")
        return len(self.insns) - place

    def bring(self, name: int) -> None:
        """Put a stand-in for a label's instruction in front: a RET again, or a JA to it."""
        home = self.homes[name] - 1
        target = self.insns[home]
        if target.code == RET:
            self.emit(target, self.notes[home])
        else:
            self.emit(Insn(JA, 0, 0, self.distance(name, self.homes)), "jump on")
        self.nearest[name] = len(self.insns)

    def goto(self, name: int) -> None:
        if self.distance(name, self.homes):
            self.bring(name)

    def branch(self, item: Branch) -> None:
        # Asked for `yes` again: bringing `no` nearer may have pushed it out of reach.
        for name in (item.yes, item.no, item.yes):
            if self.distance(name, self.nearest) > MAX_JUMP:
                self.bring(name)
        yes, no = self.distance(item.yes, self.nearest), self.distance(item.no, self.nearest)
        self.emit(Insn(item.code, yes, no, item.k), item.note)


def assemble(items: Sequence[Item]) -> Program:
    """Items with every label resolved.

    A conditional jump that would not reach gets a stand-in behind it. Raises SetupError for a label that
    is missing, defined twice or not ahead of its jump, for an end that is not RET, and for more than
    MAX_INSNS instructions.
    """
    work = _Assembler()
    for item in reversed(items):
        match item:
            case Label(name):
                work.label(name)
            case Op(code, k, note):
                work.emit(Insn(code, 0, 0, k), note)
            case Branch():
                work.branch(item)
            case Goto(to):
                work.goto(to)
    if not work.insns or work.insns[0].code != RET:
        raise SetupError("a filter must end with RET")
    return Program(tuple(reversed(work.insns)), tuple(reversed(work.notes)))


def encode(program: Program) -> bytes:
    """The program as an array of `struct sock_filter`. Raises SetupError where a value does not fit."""
    try:
        return b"".join(_SOCK_FILTER.pack(*insn) for insn in program.insns)
    except struct.error as error:
        raise SetupError(f"a filter instruction does not fit its fields: {error}") from None


def decode(raw: bytes) -> Program:
    """The program in `raw`, without notes. Raises SetupError where that is not whole instructions."""
    if len(raw) % _SOCK_FILTER.size:
        raise SetupError(f"a filter of {len(raw)} bytes is not a number of 8-byte instructions")
    insns = tuple(Insn(*fields) for fields in _SOCK_FILTER.iter_unpack(raw))
    return Program(insns, ("",) * len(insns))
