"""The prober's language: probes to bytes, its reports to results. guests/prober.c holds the other end.

All numbers are little-endian. A report whose length does not fit its content is a ValueError: the prober's
process may have been anything by then.
"""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sandbox.conformance.probe import (
    ARENA_SIZE,
    LEVELS,
    STEPS,
    TEXTS_AT,
    Arg,
    Block,
    Child,
    Place,
    Probe,
    Result,
    Step,
    StepResult,
)
from sandbox.errors import UsageError
from sandbox.syscalls.call import MASK64

MAGIC = 0x31425250
INPUT_SIZE = 4 << 20
_KINDS = {"arena": 1, "result": 2, "word": 3, "handler": 4, "restorer": 5, "fs": 7}
_BYTES = 6
_RESULT_PLUS = 16  # the bit from which on a result's number is what is added to it
_ISOLATE, _NO_REAPING = 1, 2
_NO_MARKER = 0xFFFF_FFFF
_ECHILD, _UNASKED = -10, 1
_CAME_BACK = 2

_PROBE = struct.Struct("<6I")
_PATCH = struct.Struct("<IIQ")
_REPORT = struct.Struct("<IIIiIIII")
_LEVEL = struct.Struct("<QQQII")
_SEEN = struct.Struct("<IIIiqQq")

# fs_base and gs_base never differ where processor or kernel let no program read them (AT_HWCAP2, bit 1).
REGISTERS = (
    "rax", "rdi", "rsi", "rdx", "r10", "r8", "r9", "rbx", "rbp", "r12", "r13", "r14", "r15", "rcx", "r11",
    "rsp", "rflags", *(f"xmm{number}" for number in range(16)), "fs_base", "gs_base",
)  # fmt: skip
# The instruction itself overwrites rcx and r11; rax holds the result.
_OWN = frozenset({"rax", "rcx", "r11"})


class Marker(NamedTuple):
    """The call the prober makes right before a judged one, so that the audit log tells them apart: argument
    `slot` is increased by the probe's index. `nr` None makes none."""

    nr: int | None = None
    args: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
    slot: int = 0


class _Memory:
    """What is put into the arena for one probe."""

    def __init__(self) -> None:
        self.patches: list[bytes] = []
        self._next = TEXTS_AT

    def store(self, offset: int, data: bytes) -> None:
        if not 0 <= offset <= ARENA_SIZE - len(data):
            raise UsageError(f"{len(data)} bytes at {offset} do not fit the prober's memory")
        self.patches.append(_PATCH.pack(offset, _BYTES, len(data)) + data)

    def allocate(self, size: int) -> int:
        offset = self._next
        self._next += size + -size % 16
        if self._next > ARENA_SIZE:
            raise UsageError("a probe's texts do not fit the prober's memory")
        return offset

    def value(self, arg: Arg) -> tuple[int, int]:
        """Kind and number of an argument, whose bytes are stored."""
        match arg:
            case Place(kind, number, plus):
                return _KINDS[kind], (number | plus << _RESULT_PLUS) & MASK64
            case Block(words):
                return _KINDS["arena"], self._block(words)
            case bytes():
                offset = self.allocate(len(arg))
                self.store(offset, arg)
                return _KINDS["arena"], offset
            case int():
                return 0, arg & MASK64

    def _block(self, words: Sequence[int | Place | bytes]) -> int:
        offset = self.allocate(8 * len(words))
        for index, word in enumerate(words):
            self.patches.append(_PATCH.pack(offset + 8 * index, *self.value(word)))
        return offset


def _step(step: Step, memory: _Memory) -> bytes:
    if len(step.args) > 6:
        raise UsageError("a system call has no more than six arguments")
    values = [memory.value(arg) for arg in step.args] + [(0, 0)] * (6 - len(step.args))
    head = struct.pack("<QII", step.nr & MASK64, step.entry == "int80", step.spin)
    return head + b"".join(struct.pack("<QQ", *value) for value in values)


def encode(index: int, probe: Probe, *, isolate: bool) -> bytes:
    """One probe for the prober. Raises UsageError where it asks for more than the prober can do."""
    levels = probe.levels
    if len(levels) > LEVELS or any(len(steps) > STEPS for steps in levels):
        raise UsageError(f"a probe has no more than {LEVELS} levels of {STEPS} steps")
    if probe.look[0] < 0 or probe.look[1] < 0 or sum(probe.look) > ARENA_SIZE:
        raise UsageError("a probe looks at its own memory only")
    memory = _Memory()
    for offset, data in probe.memory:
        memory.store(offset, data)
    steps = [
        struct.pack("<I", len(level)) + b"".join(_step(one, memory) for one in level) for level in levels
    ]
    flags = _ISOLATE * isolate | _NO_REAPING * (not probe.reap)
    head = _PROBE.pack(index, flags, *probe.look, len(memory.patches), len(levels))
    return head + b"".join(memory.patches) + b"".join(steps)


def header(marker: Marker) -> bytes:
    """The beginning of the prober's input."""
    nr = _NO_MARKER if marker.nr is None else marker.nr
    return struct.pack("<I", MAGIC) + struct.pack("<QQ6Q", marker.slot, nr, *marker.args)


def decode(output: bytes) -> Iterator[tuple[int, Result]]:
    """Index and result of each whole report. Raises ValueError where one is damaged."""
    at = 0
    while at + 4 <= len(output):
        (size,) = struct.unpack_from("<I", output, at)
        if at + 4 + size > len(output):
            return
        try:
            yield _report(output[at + 4 : at + 4 + size])
        except struct.error as error:
            raise ValueError(f"a report of the prober is damaged: {error}") from None
        at += 4 + size


def signal_name(number: int) -> str:
    """The name of a signal, `SIG` and its number for one without."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def _changed(mask: int) -> frozenset[str]:
    return frozenset(name for bit, name in enumerate(REGISTERS) if mask >> bit & 1) - _OWN


def _seen(data: bytes, at: int) -> StepResult:
    state, before, after, status, rax, mask, childless = _SEEN.unpack_from(data, at)
    if state != _CAME_BACK:
        return StepResult(begun=bool(state), before=before)
    return StepResult(
        rax, True, before, after, _changed(mask),
        None if status == -1 else status,
        _childless(childless),
    )  # fmt: skip


def _childless(answer: int) -> bool | None:
    """What wait4's answer says: there is none at ECHILD, and one at 0 or a pid. Any other errno may be the
    policy's own, and says nothing."""
    if answer == _UNASKED:
        return None
    return answer == _ECHILD if answer == _ECHILD or answer >= 0 else None


def _report(data: bytes) -> tuple[int, Result]:
    magic, index, count, status, first, end, signals, size = _REPORT.unpack_from(data)
    if magic != MAGIC or not 0 < count <= LEVELS:
        raise ValueError("a report of the prober is damaged")
    at = _REPORT.size
    caught = tuple(struct.unpack_from("<II", data, at + 8 * one) for one in range(signals))
    at += 8 * signals
    looked = data[at : at + size]
    at += size
    levels, births = [], []
    for _ in range(count):
        changed, rsp, begun, steps, _ = _LEVEL.unpack_from(data, at)
        at += _LEVEL.size
        births.append((changed, rsp, begun))
        levels.append(tuple(_seen(data, at + _SEEN.size * one) for one in range(steps)))
        at += _SEEN.size * steps
    result = Result(
        memory_changed=None if first == end else (first, end), looked=looked, steps=tuple(levels),
        signals=tuple((signo, stamp) for signo, stamp in caught),
    )  # fmt: skip
    return index, _ended(result, status, births)


def _ended(result: Result, status: int, births: list[tuple[int, int, int]]) -> Result:
    judged = result.steps[0][-1]
    child = None
    if len(births) > 1 and births[1][2]:
        mask, rsp, begun = births[1]
        child = Child(_changed(mask), rsp, begun, judged.status)
    result = result._replace(changed_registers=judged.changed, child=child)
    if judged.rax is not None:
        return result._replace(rax=judged.rax)
    if os.WIFSIGNALED(status):
        return result._replace(died=signal_name(os.WTERMSIG(status)))
    return result._replace(exited=os.WEXITSTATUS(status))
