"""The call that the prober makes right before a judged one, by which the log tells the probes apart. Pure.

Its arguments are random numbers, one of them increased by the probe's index: no judged call has them all.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sandbox.conformance.wire import Marker
from sandbox.outcome import Allow, Decision, Refuse, Return
from sandbox.policy.model import Policy
from sandbox.syscalls import decode, table
from sandbox.syscalls.call import MASK64, Call

Level = Literal["decisions", "all"]

_NOBODYS = 499
# With a descriptor that is not open, they do nothing whatever else they are given.
_HARMLESS = tuple(table.NUMBERS[one] for one in ("read", "write", "lseek", "pread64", "fstat", "ioctl"))


def choose(policy: Policy, level: Level, count: int) -> Marker:
    """A call without effect that leaves a record for each of `count` probes; none where there is no such."""
    for nr in (_NOBODYS, *_HARMLESS, *sorted(table.NUMBERS.values())):
        marker = _marker(nr, count)
        if marker.nr is not None and all(
            _leaves_record(policy.decide(_call(marker, index)), nr, level) for index in range(count)
        ):
            return marker
    return Marker()


def _marker(nr: int, count: int) -> Marker:
    arguments = table.arguments(nr)
    plain = [at for at, arg in enumerate(arguments) if not arg.flags and arg.kind not in _SHOWN_AS_TEXT]
    if not plain:
        return Marker()
    slot = max(plain, key=lambda at: arguments[at].bits)
    values = [secrets.randbits(64) for _ in range(6)]
    # The index must not carry into what the kernel does not look at.
    width = (1 << arguments[slot].bits - 1) - 1
    values[slot] = secrets.randbelow(width - count) + 1
    if nr in _HARMLESS:
        values[0] = MASK64
    return Marker(nr, (values[0], values[1], values[2], values[3], values[4], values[5]), slot)


_SHOWN_AS_TEXT = ("signal", "mode")


def _call(marker: Marker, index: int) -> Call:
    values = list(marker.args)
    values[marker.slot] += index
    return Call(marker.nr or 0, (values[0], values[1], values[2], values[3], values[4], values[5]))


def _leaves_record(decision: Decision, nr: int, level: Level) -> bool:
    match decision:
        case Allow(watch=watch):
            return nr in _HARMLESS and (watch or level == "all")
        case Refuse(recorded=recorded):
            return recorded or level == "all"
        case Return(recorded=recorded, deed=None, writes=()):
            return recorded or level == "all"
        case _:
            return False


def intervals(
    records: Sequence[dict[str, Any]], marker: Marker, count: int
) -> dict[int, list[dict[str, Any]]]:
    """The records since each probe's marker, the marker's first."""
    if marker.nr is None:
        return {}
    names = {_key(decode.describe(_call(marker, index), _unread)): index for index in range(count)}
    found: dict[int, list[dict[str, Any]]] = {}
    current: list[dict[str, Any]] = []
    for record in records:
        is_call = record["event"] == "call" and record["nr"] == marker.nr
        index = names.get(_key(record["args"])) if is_call else None
        if index is not None:
            current = found.setdefault(index, [])
        current.append(record)
    return found


def _unread(address: int) -> None:
    return None


def _key(args: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(args.items())
