"""A filter as text for people: one instruction a line, jumps by line number, notes behind."""

from __future__ import annotations

from sandbox.seccomp.actions import describe
from sandbox.seccomp.bpf import (
    AND_K,
    ARCH,
    ARGS,
    DATA_SIZE,
    JA,
    JEQ,
    JGE,
    JGT,
    JSET,
    LD_ABS,
    NR,
    RET,
    Insn,
    Program,
)

_JUMPS = {JEQ: "jeq", JGT: "jgt", JGE: "jge", JSET: "jset"}
_FIELDS = {NR: "nr", ARCH: "arch", 8: "ip.low", 12: "ip.high"}


def listing(program: Program) -> str:
    """One line an instruction: number, opcode, operand, where it jumps, and its note after `;`.

    A conditional jump reads `yes 12, no 3`. Codes the compiler does not make are shown as numbers.
    """
    lines = zip(program.insns, program.notes, strict=True)
    return "".join(_line(place, insn, note) for place, (insn, note) in enumerate(lines))


def _line(place: int, insn: Insn, note: str) -> str:
    operation, operand, target = _text(place, insn)
    line = f"{place:4}  {operation:<5} {operand:<20} {target:<18}"
    return (f"{line} ; {note}" if note else line).rstrip() + "\n"


def _text(place: int, insn: Insn) -> tuple[str, str, str]:
    code, jt, jf, k = insn
    if code in _JUMPS:
        return _JUMPS[code], f"{k:#x}", f"yes {place + 1 + jt}, no {place + 1 + jf}"
    if code == LD_ABS:
        return "ld", _field(k), ""
    if code == RET:
        return "ret", describe(k), ""
    if code == JA:
        return "ja", "", f"to {place + 1 + k}"
    if code == AND_K:
        return "and", f"{k:#x}", ""
    return f"{code:#04x}", f"{k:#x} jt={jt} jf={jf}", ""


def _field(offset: int) -> str:
    if offset in _FIELDS:
        return _FIELDS[offset]
    if not ARGS <= offset < DATA_SIZE or offset % 4:
        return f"[{offset}]"
    arg, high = divmod(offset - ARGS, 8)
    return f"args[{arg}].{'high' if high else 'low'}"
