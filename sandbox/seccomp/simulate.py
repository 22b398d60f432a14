"""The kernel's half of a filter in Python: its checker, and its interpreter.

Both follow net/core/filter.c and kernel/seccomp.c (Linux 6.18), so that programs are proved without a kernel.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from sandbox.errors import SetupError
from sandbox.seccomp.actions import RET_KILL_THREAD
from sandbox.seccomp.bpf import DATA_SIZE, JA, LD_ABS, MAX_INSNS, RET, Insn, Program
from sandbox.syscalls.call import Call

MASK32: Final = 0xFFFF_FFFF

_MISC_TAX, _MISC_TXA, _NEG, _RET_A = 0x07, 0x87, 0x84, 0x16
_LD_IMM, _LDX_IMM, _LD_LEN, _LDX_LEN = 0x00, 0x01, 0x80, 0x81
_LD_MEM, _LDX_MEM, _ST, _STX = 0x60, 0x61, 0x02, 0x03
_MEM_WORDS = 16
_X = 0x08

_ALU: dict[int, Callable[[int, int], int]] = {
    0x04: lambda a, b: a + b,
    0x14: lambda a, b: a - b,
    0x24: lambda a, b: a * b,
    0x34: lambda a, b: a // b,
    0x44: lambda a, b: a | b,
    0x54: lambda a, b: a & b,
    0x64: lambda a, b: a << (b & 31),
    0x74: lambda a, b: a >> (b & 31),
    0xA4: lambda a, b: a ^ b,
}
_JUMPS: dict[int, Callable[[int, int], bool]] = {
    0x15: lambda a, b: a == b,
    0x25: lambda a, b: a > b,
    0x35: lambda a, b: a >= b,
    0x45: lambda a, b: bool(a & b),
}
_DIV, _SHIFTS = 0x34, (0x64, 0x74)
_PLAIN = {
    LD_ABS, RET, _RET_A, JA, _NEG, _MISC_TAX, _MISC_TXA,
    _LD_IMM, _LDX_IMM, _LD_LEN, _LDX_LEN, _LD_MEM, _LDX_MEM, _ST, _STX,
}  # fmt: skip
_ALLOWED: Final = frozenset(_PLAIN | {op | x for op in (*_ALU, *_JUMPS) for x in (0, _X)})


def check(program: Program) -> None:
    """Raises SetupError, naming the instruction, where the kernel would refuse to install the program."""
    insns = program.insns
    if not 0 < len(insns) <= MAX_INSNS:
        raise SetupError(f"a filter has 1 to {MAX_INSNS} instructions, not {len(insns)}")
    for place, insn in enumerate(insns):
        fault = _fault(insn, len(insns) - place - 1)
        if fault:
            raise SetupError(f"filter instruction {place} (code {insn.code:#x}, k {insn.k:#x}): {fault}")
    if insns[-1].code not in (RET, _RET_A):
        raise SetupError("a filter must end with RET")
    _check_memory(insns)


def _fault(insn: Insn, behind: int) -> str:
    """What is wrong with an instruction that has `behind` others after it, or ''."""
    code, jt, jf, k = insn
    if code not in _ALLOWED:
        return "no instruction a filter may have"
    if code == LD_ABS and (k >= DATA_SIZE or k % 4):
        return "a load from outside seccomp_data, or not of a whole word"
    if code == JA and k >= behind:
        return "a jump past the end"
    if code & ~_X in _JUMPS and max(jt, jf) >= behind:
        return "a jump past the end"
    if code in (_LD_MEM, _LDX_MEM, _ST, _STX) and k >= _MEM_WORDS:
        return "no such memory word"
    if (code == _DIV and k == 0) or (code in _SHIFTS and k > 31):
        return "division by 0 or too wide a shift"
    return ""


def _check_memory(insns: tuple[Insn, ...]) -> None:
    """No path may load a memory word it has not stored."""
    everything = (1 << _MEM_WORDS) - 1
    arriving = [everything] * len(insns)
    stored = 0
    for place, (code, jt, jf, k) in enumerate(insns):
        stored &= arriving[place]
        if code in (_ST, _STX):
            stored |= 1 << k
        elif code in (_LD_MEM, _LDX_MEM):
            if not stored >> k & 1:
                raise SetupError(f"filter instruction {place} loads memory word {k}, which was never stored")
        elif code == JA or code & ~_X in _JUMPS:
            for offset in (k,) if code == JA else (jt, jf):
                arriving[place + 1 + offset] &= stored
            stored = everything


class _Machine:
    """Registers and scratch memory for one run."""

    def __init__(self, words: tuple[int, ...]) -> None:
        self.words = words
        self.a = self.x = 0
        self.memory = [0] * _MEM_WORDS

    def step(self, insn: Insn, place: int) -> int:
        """Run an instruction that is no RET; the place of the next, -1 after a division by zero."""
        code, k = insn.code, insn.k
        if code == LD_ABS:
            self.a = self.words[k // 4]
        elif code == JA:
            return place + 1 + k
        elif code & ~_X in _JUMPS:
            taken = _JUMPS[code & ~_X](self.a, self.x if code & _X else k)
            return place + 1 + (insn.jt if taken else insn.jf)
        elif code & ~_X in _ALU:
            return self.arithmetic(code, k, place)
        else:
            self.move(code, k)
        return place + 1

    def arithmetic(self, code: int, k: int, place: int) -> int:
        operand = self.x if code & _X else k
        if code & ~_X == _DIV and operand == 0:
            return -1
        self.a = _ALU[code & ~_X](self.a, operand) & MASK32
        return place + 1

    def move(self, code: int, k: int) -> None:
        match code:
            case 0x00 | 0x80:
                self.a = k if code == _LD_IMM else DATA_SIZE
            case 0x01 | 0x81:
                self.x = k if code == _LDX_IMM else DATA_SIZE
            case 0x60:
                self.a = self.memory[k]
            case 0x61:
                self.x = self.memory[k]
            case 0x02 | 0x03:
                self.memory[k] = self.a if code == _ST else self.x
            case 0x07:
                self.x = self.a
            case 0x87:
                self.a = self.x
            case _:
                self.a = -self.a & MASK32


class Simulator:
    """A checked program, ready for many calls. Making one raises SetupError as `check` does."""

    def __init__(self, program: Program) -> None:
        check(program)
        self._insns = program.insns

    def action(self, call: Call) -> int:
        """The 32-bit action value the kernel would get for this call."""
        return self.trace(call)[0]

    def trace(self, call: Call) -> tuple[int, list[int]]:
        """The action value, and the places of the instructions that led to it."""
        machine, path, place = _Machine(_words(call)), [], 0
        while place >= 0:
            insn = self._insns[place]
            path.append(place)
            if insn.code in (RET, _RET_A):
                return (insn.k if insn.code == RET else machine.a), path
            place = machine.step(insn, place)
        # A division by zero ends a classic program with 0.
        return RET_KILL_THREAD, path


def simulate(program: Program, call: Call, arch: int | None = None) -> int:
    """The 32-bit action value the kernel would get for one call; `arch` overrides the call's own.

    Raises SetupError where the kernel would refuse the program. For many calls use a `Simulator`.
    """
    return Simulator(program).action(call if arch is None else call._replace(arch=arch))


def _words(call: Call) -> tuple[int, ...]:
    """The call as `struct seccomp_data`, cut into the words a filter can load."""
    data = struct.pack("<IIQ6Q", call.nr & MASK32, call.arch, call.ip, *call.args)
    return struct.unpack("<16I", data)
