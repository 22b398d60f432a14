"""Every promise of the shipped tables on this kernel: a [[row]] is a test of all the rows it stands for."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from functools import cache
from itertools import groupby
from typing import Any

import pytest

from sandbox.conformance import suite, tables
from sandbox.conformance.rows import Promise, Row
from sandbox.conformance.suite import Checked

POLICIES = ("ostoo",)
MODES = ("emulate", "kernel", "native")


@cache
def promises(policy: str) -> list[Promise]:
    return tables.load(tables.shipped(policy))


@cache
def checked(policy: str, mode: str) -> Mapping[str, Checked]:
    """All rows at once, when the first is asked for."""
    match mode:
        case "native":
            parts = suite.check_native(promises(policy))
        case "kernel":
            parts = suite.check_tables(promises(policy), vfork="kernel")
        case _:
            parts = suite.check_tables(promises(policy), vfork="emulate")
    return {row.id: row for part in parts for row in part.rows}


def families() -> list[Any]:
    found = []
    for policy in POLICIES:
        rows = [row for promise in promises(policy) for row in promise.rows]
        for family, some in groupby(rows, key=lambda row: row.family):
            members = list(some)
            modes = [mode for mode in MODES if mode != "native" or members[0].native is not None]
            found += [pytest.param(policy, mode, members, id=f"{policy}-{mode}-{family}") for mode in modes]
    return found


@pytest.mark.parametrize(("policy", "mode", "rows"), families())
def test_holds(policy: str, mode: str, rows: list[Row]) -> None:
    results = checked(policy, mode)
    wrong = {row.id: results[row.id].differences for row in rows if not results[row.id].holds}
    assert not wrong


def test_there_are_enough_rows() -> None:
    assert sum(len(promise.rows) for promise in promises("ostoo")) >= 1000


def test_every_call_of_the_surface_has_rows() -> None:
    surface = {
        0, 1, 2, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 22, 28, 33, 39, 56, 59, 60, 61, 62, 72, 79, 80,
        131, 158, 202, 204, 217, 218, 228, 231, 273, 293, 318,
    }  # fmt: skip
    judged = {row.probe.nr for promise in promises("ostoo") for row in promise.rows}
    # rt_sigreturn is what a caught signal returns by: the rows with `signals` make it.
    assert surface - judged == {15}
    assert set(range(601)) - judged == {15}


def errnos(expect: Any) -> int:
    """How many errnos satisfy what a table expects; each of a range below 0 is one."""
    match expect:
        case str():
            return 1 if expect.startswith("E") else 0
        case {"any": alternatives}:
            return sum(map(errnos, alternatives))
        case {"min": int(low), "max": int(high)} if low < 0:
            return min(high, -1) - low + 1
        case {"min": int(low)} if low < 0:
            return -low
    return 0


@pytest.mark.parametrize("path", tables.shipped("ostoo"), ids=os.path.basename)
def test_no_row_is_satisfied_by_any_errno(path: str) -> None:
    with open(path, "rb") as stream:
        rows = tomllib.load(stream)["row"]
    loose = [row["id"] for row in rows if errnos(row["expect"]) > 1 and "because" not in row]
    assert not loose, "two errnos prove neither: name the one, or say why the kernel decides"


def test_an_errno_that_is_any_is_noticed() -> None:
    assert errnos({"min": -4095, "max": -1}) == 4095
    assert errnos({"any": ["EACCES", "ENOENT", {"killed": "SIGILL"}]}) == 2
    assert errnos("EACCES") == 1
    assert errnos({"min": 3}) == errnos(0) == errnos("positive") == 0
