"""The output limit: standard output and error go through a process that counts, and ends at the limit.

A terminal is left alone: through a pipe the guest would not know it is one.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from sandbox._kernel import calls
from sandbox.errors import SetupError


class Outlet(NamedTuple):
    """What stands in for descriptors 1 and 2 (-1: they stay), the pump's pid (0: none), what is enforced."""

    output: tuple[int, int]
    pump: int
    enforcement: str

    def close(self) -> None:
        """Give up our ends, so that the pipes end with the last guest."""
        for fd in {fd for fd in self.output if fd >= 0}:
            os.close(fd)


def _same(first: int, second: int) -> bool:
    return os.path.sameopenfile(first, second)


def open_outlet(limit: int | None) -> Outlet:
    """Start counting where a limit is set. Call it before the guest is launched. Raises SetupError."""
    if limit is None:
        return Outlet((-1, -1), 0, "not asked for")
    counted = [fd for fd in (1, 2) if not os.isatty(fd)]
    if not counted:
        return Outlet((-1, -1), 0, "none: output is a terminal")
    try:
        return _pump(counted, limit)
    except OSError as error:
        raise SetupError(f"cannot limit output: {error.strerror}") from None


def _pump(counted: list[int], limit: int) -> Outlet:
    # One pipe for both where they are one file: what is written to them keeps its order.
    joined = counted == [1, 2] and _same(1, 2)
    ends: dict[int, int] = {}
    pairs = []
    for fd in counted[:1] if joined else counted:
        reader, ends[fd] = os.pipe2(os.O_CLOEXEC)
        pairs.append((reader, fd))
    if joined:
        ends[2] = ends[1]
    pump = calls.pump(pairs, limit)
    for reader, _ in pairs:
        os.close(reader)
    partial = "full" if len(counted) == 2 else "partial: not what goes to a terminal"
    return Outlet((ends.get(1, -1), ends.get(2, -1)), pump, partial)
