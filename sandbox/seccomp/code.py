"""Instructions as a graph: equal ones exist once, and none knows yet where it will stand.

A node is made after those it leads to, so falling ids are an order in which every jump goes forward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sandbox.seccomp.bpf import (
    AND_K,
    JEQ,
    JGE,
    JSET,
    LD_ABS,
    RET,
    Branch,
    Goto,
    Item,
    Label,
    Op,
)

MASK32 = 0xFFFF_FFFF

# Below this many ranges a chain of equality tests is as quick as halving, and shorter.
_FEW = 5

Cuts = tuple[tuple[int, int], ...]

# Opcode and value of a test to its note.
_Each = Callable[[int, int], str]


class _End(NamedTuple):
    """RET `action`."""

    action: int


class _Step(NamedTuple):
    """A load or an AND, then `after`."""

    code: int
    k: int
    after: int


class _Test(NamedTuple):
    """A conditional jump."""

    code: int
    k: int
    yes: int
    no: int


_Node = _End | _Step | _Test


class Code:
    """A growing graph of instructions. Methods return the id of the node that begins what they made."""

    def __init__(self) -> None:
        self._nodes: list[_Node] = []
        self._notes: list[str] = []
        self._ids: dict[_Node, int] = {}

    def _add(self, node: _Node, note: str) -> int:
        made = self._ids.setdefault(node, len(self._nodes))
        if made == len(self._nodes):
            self._nodes.append(node)
            self._notes.append(note)
        return made

    def end(self, action: int) -> int:
        """Answer with an action."""
        return self._add(_End(action), "")

    def equal(self, offset: int, value: int, yes: int, no: int, note: str) -> int:
        """Load the word at `offset`, and branch on its being `value`."""
        return self._add(_Step(LD_ABS, offset, self._add(_Test(JEQ, value, yes, no), note)), note)

    def word(self, offset: int, mask: int, cuts: Cuts, note: str, each: _Each | None = None) -> int:
        """Load the word at `offset` and go where `cuts`, (first masked value, node) in rising order, says.

        `each` words the note of each test; without it all have `note`.
        """
        cuts = _joined(cuts, mask)
        if len(cuts) == 1:
            return cuts[0][1]
        body = self._loaded(offset, mask, cuts, each or (lambda code, value: note))
        return self._add(_Step(LD_ABS, offset, body), note)

    def _loaded(self, offset: int, mask: int, cuts: Cuts, each: _Each) -> int:
        any_bit = _asks_any_bit(cuts, mask)
        if any_bit or mask == MASK32:
            cuts = tuple((start, self._past_load(offset, target)) for start, target in cuts)
        if any_bit:
            return self._test(JSET, mask, cuts[1][1], cuts[0][1], each)
        body = self._search(cuts, mask, each)
        return body if mask == MASK32 else self._add(_Step(AND_K, mask, body), each(AND_K, mask))

    def _past_load(self, offset: int, target: int) -> int:
        """Where to go on with the word at `offset` still loaded."""
        node = self._nodes[target]
        if isinstance(node, _Step) and node.code == LD_ABS and node.k == offset:
            return node.after
        return target

    def _search(self, cuts: Cuts, top: int, each: _Each) -> int:
        """Find the part the loaded word, at most `top`, is in: by halves, single values by equality."""
        if len(cuts) == 1:
            return cuts[0][1]
        hole = _hole(cuts) if len(cuts) <= _FEW else 0
        if hole:
            rest = self._search(cuts[:hole] + cuts[hole + 2 :], top, each)
            return self._test(JEQ, *cuts[hole], rest, each)
        if len(cuts) == 2 and cuts[1][0] == cuts[0][0] + 1:
            return self._test(JEQ, *cuts[0], cuts[1][1], each)
        if len(cuts) == 2 and cuts[1][0] == top:
            return self._test(JEQ, *cuts[1], cuts[0][1], each)
        middle = len(cuts) // 2
        value = cuts[middle][0]
        high, low = self._search(cuts[middle:], top, each), self._search(cuts[:middle], value - 1, each)
        return self._test(JGE, value, high, low, each)

    def _test(self, code: int, value: int, yes: int, no: int, each: _Each) -> int:
        return self._add(_Test(code, value, yes, no), each(code, value))

    def items(self, first: int) -> list[Item]:
        """What is reached from `first`, laid out for the assembler."""
        order = self._reached(first)
        laid: list[Item] = []
        for place, made in enumerate(order):
            laid.append(Label(made))
            node, note = self._nodes[made], self._notes[made]
            match node:
                case _End(action):
                    laid.append(Op(RET, action, note))
                case _Step(code, k, after):
                    laid.append(Op(code, k, note))
                    if order[place + 1] != after:
                        laid.append(Goto(after))
                case _Test(code, k, yes, no):
                    laid.append(Branch(code, k, yes, no, note))
        return laid

    def _reached(self, first: int) -> list[int]:
        reached = {first}
        order = []
        for made in range(first, -1, -1):
            if made in reached:
                order.append(made)
                reached.update(_leads_to(self._nodes[made]))
        return order


def _leads_to(node: _Node) -> tuple[int, ...]:
    match node:
        case _End():
            return ()
        case _Step(after=after):
            return (after,)
        case _Test(yes=yes, no=no):
            return (yes, no)


def _joined(cuts: Cuts, mask: int) -> Cuts:
    """Cuts that a masked word can reach, neighbours with one target as one."""
    kept: list[tuple[int, int]] = []
    for start, target in cuts:
        if start <= mask and (not kept or kept[-1][1] != target):
            kept.append((start, target))
    return tuple(kept)


def _asks_any_bit(cuts: Cuts, mask: int) -> bool:
    """True where the cuts only tell 0 from every other value the mask lets through."""
    return len(cuts) == 2 and mask != MASK32 and (cuts[1][0] == 1 or mask.bit_count() == 1)


def _hole(cuts: Cuts) -> int:
    """The place of a single value between two parts with the same target; 0 where there is none."""
    for place in range(1, len(cuts) - 1):
        alone = cuts[place + 1][0] == cuts[place][0] + 1
        if alone and cuts[place - 1][1] == cuts[place + 1][1]:
            return place
    return 0
