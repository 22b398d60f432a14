"""How many system calls a filter decides, and where. Pure."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from sandbox.policy.model import Policy
from sandbox.seccomp.actions import RET_ALLOW, RET_TRACE
from sandbox.seccomp.table import Leaf, Table, build_table
from sandbox.syscalls.table import NUMBERS


class Tally(NamedTuple):
    """Numbers of calls by who decides them; those whose arguments matter are in `by_arguments` alone."""

    allowed: int = 0
    answered: int = 0
    supervised: int = 0
    by_arguments: int = 0


def tally(policy: Policy, supervised: frozenset[int], *, record_all: bool = False) -> Tally:
    """Count every call of the table. Raises SetupError as compiling does."""
    table = build_table(policy, supervised, record_all=record_all)
    starts = [start for start, _ in table.numbers]
    found = [_kind(table, table.numbers[bisect_right(starts, nr) - 1][1]) for nr in NUMBERS.values()]
    return Tally(*(found.count(kind) for kind in Tally._fields))


def _kind(table: Table, node: int) -> str:
    top = table.nodes[node]
    if not isinstance(top, Leaf):
        return "by_arguments"
    return {RET_ALLOW: "allowed", RET_TRACE: "supervised"}.get(top.action, "answered")
