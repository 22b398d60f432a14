"""What the prober is asked to do, and what it saw: values, no I/O.

A `Probe` is one system call that is judged, after steps that prepare for it, with what the children of a call
that makes a task do. The prober's own memory is reached by `Place`s, since its addresses are its own matter.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from sandbox.audit.records import CallRecord
from sandbox.syscalls import table

ARENA_SIZE = 64 * 1024
STACK_TOP = 32 * 1024
"""Where in the arena the stack lies that a child is given: right above what a probe may use freely."""
TEXTS_AT = 40 * 1024
"""Where in the arena texts and blocks are put; beneath the stack, all is the probe's own."""
LEVELS = 10
"""How deep tasks may be nested: the prober is level 0, its child level 1."""
STEPS = 80
"""How many calls one task may make."""

UNMAPPED = 0x2000_0000_0000
KERNEL = 0xFFFF_8000_0000_0000

_MAKERS = frozenset(map(table.NUMBERS.__getitem__, ("clone", "fork", "vfork", "clone3")))

Kind = Literal["arena", "result", "word", "handler", "restorer", "fs"]
Entry = Literal["syscall", "int80"]


class Place(NamedTuple):
    """A value only the prober knows: an address in its arena, the result of a step (level << 8 | step) with
    `plus` added to it, a 32-bit word of the arena, its signal handler, its restorer, a 32-bit word at %fs."""

    kind: Kind
    number: int = 0
    plus: int = 0


class Block(NamedTuple):
    """The address of 64-bit words in memory, such as an argument vector or a struct sigaction."""

    words: tuple[int | Place | bytes, ...]


Arg = int | Place | Block | bytes
"""A number, a place, or the address of words or of these bytes, which lie in the arena."""


def arena(offset: int = 0) -> Place:
    """The address `offset` bytes into the arena."""
    return Place("arena", offset)


def stack(offset: int = 0) -> Place:
    """The top of a child's stack, 16-byte aligned, moved by `offset` bytes."""
    return Place("arena", STACK_TOP + offset)


def result(step: int, level: int = 0, plus: int = 0) -> Place:
    """What step number `step` of the task at `level` came back with, and `plus` added to it."""
    return Place("result", level << 8 | step, plus)


class Step(NamedTuple):
    """One system call: `nr` is all 64 bits of rax. `spin` is how long to dawdle before it, in turns of an
    empty loop."""

    nr: int
    args: tuple[Arg, ...] = ()
    entry: Entry = "syscall"
    spin: int = 0

    @property
    def makes_task(self) -> bool:
        """Whether it is a call that makes a task, if it is allowed."""
        return self.entry == "syscall" and self.nr & 0xFFFF_FFFF in _MAKERS


class Probe(NamedTuple):
    """One call to judge, the last its process makes.

    `before` are steps of the same process; `children` what the child of a call that makes a task does, the
    child of that child, and so on (each then exits with 0). With `isolate` all of it happens in a child of
    the prober, where it may end, close or change whatever it likes, but for shared memory. `memory` is
    written to the arena first. `look` is (offset, length) of arena bytes to report. Without `reap`, the
    prober leaves children to be waited for by steps.
    """

    nr: int
    args: tuple[Arg, ...] = ()
    entry: Entry = "syscall"
    before: tuple[Step, ...] = ()
    children: tuple[tuple[Step, ...], ...] = ()
    isolate: bool = False
    memory: tuple[tuple[int, bytes], ...] = ()
    look: tuple[int, int] = (0, 0)
    reap: bool = True
    name: str = ""

    @property
    def levels(self) -> tuple[tuple[Step, ...], ...]:
        """The steps of each task, the judged call at the end of the first."""
        return ((*self.before, Step(self.nr, self.args, self.entry)), *(self.children or ((),)))


class StepResult(NamedTuple):
    """What came of one step. `rax` is None where it did not come back; `before` and `after` are moments on
    the prober's own clock, 0 where there was none.

    `changed` names the registers that differ, beyond rax, rcx and r11. `status` is the wait status of the
    child the step made. `childless` says whether there was no child after a call that should make one; None
    where that is not known.
    """

    rax: int | None = None
    begun: bool = False
    before: int = 0
    after: int = 0
    changed: frozenset[str] = frozenset()
    status: int | None = None
    childless: bool | None = None


class Child(NamedTuple):
    """A task the judged call made: registers that are not as promised (rax 0, rsp the stack given, all others
    the parent's), its rsp, and when it began on the prober's clock. `status` is its wait status."""

    changed_registers: frozenset[str]
    rsp: int
    begun: int
    status: int | None


class Result(NamedTuple):
    """What came of a probe. Exactly one holds: `rax` is not None (the judged call came back, a signed
    number), `died` names the signal that ended its process, `exited` is the status its process or the program
    it became ended with, `hung`, or `lost` says why nobody knows.

    `memory_changed` is the arena's part (first, end) that differs after the judged call. `steps` holds every
    step of every level. `record` is the judged call's audit record, where there is one; `records` are all
    records since the prober was about to make that call.
    """

    rax: int | None = None
    died: str | None = None
    exited: int | None = None
    hung: bool = False
    lost: str = ""
    changed_registers: frozenset[str] = frozenset()
    memory_changed: tuple[int, int] | None = None
    looked: bytes = b""
    child: Child | None = None
    steps: tuple[tuple[StepResult, ...], ...] = ()
    signals: tuple[tuple[int, int], ...] = ()
    record: CallRecord | None = None
    records: tuple[dict[str, Any], ...] = ()
