"""A policy as a seccomp filter: decision table, then instructions, then a program with notes.

The kernel remembers constant answers in a bitmap (SECCOMP_CACHE, Linux 5.11) where they depend on the
architecture and the number alone. So arguments are loaded only behind their own number, and the
instruction pointer never.
"""

from __future__ import annotations

from sandbox.policy.model import Policy
from sandbox.seccomp.actions import RET_KILL_PROCESS
from sandbox.seccomp.bpf import ARCH, ARGS, JEQ, NR, Program, assemble
from sandbox.seccomp.code import MASK32, Code, Cuts
from sandbox.seccomp.table import NEGATIVE, Leaf, Split, Table, build_table, expected
from sandbox.syscalls.call import AUDIT_ARCH_X86_64, X32_BIT
from sandbox.syscalls.table import arguments, name

__all__ = ["Program", "compile_policy", "expected"]


def compile_policy(policy: Policy, supervised: frozenset[int], *, record_all: bool = False) -> Program:
    """The filter that gives every call the action `expected` says.

    `supervised` are the numbers the supervisor must see even where the policy allows them; `record_all`
    sends it every call. Foreign architectures and x32 numbers kill the process, negative numbers are
    unlisted calls. Raises SetupError where the policy needs more than MAX_INSNS instructions.
    """
    table = build_table(policy, supervised, record_all=record_all)
    code = Code()
    numbers = code.word(NR, MASK32, _lower(code, table), "call number", _number_note)
    kill = code.end(RET_KILL_PROCESS)
    first = code.equal(ARCH, AUDIT_ARCH_X86_64, numbers, kill, "architecture: x86-64")
    return assemble(code.items(first))


def _lower(code: Code, table: Table) -> Cuts:
    """Make instructions for every node of the table; the cuts of the call numbers with these as targets."""
    made: list[int] = []
    for node, owners in zip(table.nodes, table.owners, strict=True):
        match node:
            case Leaf(action):
                made.append(code.end(action))
            case Split():
                cuts = tuple((start, made[target]) for start, target in node.cuts)
                made.append(_split(code, node, cuts, _owners_note(owners, node.arg)))
    return tuple((start, made[target]) for start, target in table.numbers)


def _split(code: Code, node: Split, cuts: Cuts, note: str) -> int:
    low, high = ARGS + 8 * node.arg, ARGS + 8 * node.arg + 4
    if node.bits == 32:
        return code.word(low, node.mask, cuts, note)
    upper: list[tuple[int, int]] = []
    for start, parts in _by_high_word(cuts):
        upper.append((start, code.word(low, node.mask & MASK32, parts, f"{note} low word")))
    return code.word(high, node.mask >> 32, tuple(upper), f"{note} high word")


def _by_high_word(cuts: Cuts) -> list[tuple[int, Cuts]]:
    """Cuts of a 64-bit value as (first high word, cuts of the low word under it)."""
    words: dict[int, list[tuple[int, int]]] = {}
    before = cuts[0][1]
    for start, target in cuts:
        high, low = start >> 32, start & MASK32
        parts = words.setdefault(high, [(0, before)])
        if low:
            parts.append((low, target))
        else:
            parts[0] = (0, target)
        # What follows the last cut under this high word holds for all high words after it.
        words[high + 1] = [(0, target)]
        before = target
    return [(high, tuple(parts)) for high, parts in words.items() if high <= MASK32]


def _owners_note(owners: tuple[int, ...], arg: int) -> str:
    args = arguments(owners[0])
    called = args[arg].name if arg < len(args) else f"arg{arg}"
    names = ", ".join(name(nr) for nr in owners[:3])
    return f"{names}{', ...' if len(owners) > 3 else ''}: {called}"


def _number_note(code: int, nr: int) -> str:
    if nr in (X32_BIT, NEGATIVE):
        return "x32 numbers and above" if nr == X32_BIT else "negative numbers"
    return f"{name(nr)} ({nr})" if code == JEQ else f"{name(nr)} ({nr}) and above"
