"""The same rows and guests with the parent held by the supervisor, by the kernel, and without a sandbox.

Where something differs, this file or the row says why it is meant.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest

from sandbox.conformance import tables
from sandbox.conformance.probe import Result, Step, StepResult
from sandbox.conformance.rows import Differs, Promise, Row
from sandbox.conformance.run import Vfork, run_probes
from sandbox.syscalls import table
from tests.integration.conftest import HANG


@cache
def promises() -> list[Promise]:
    return tables.load(tables.shipped("ostoo"))


def rows() -> list[Row]:
    return [row for promise in promises() for row in promise.rows]


@cache
def results(mode: Vfork) -> dict[str, Result]:
    found = run_probes("ostoo", [row.probe for row in rows()], vfork=mode)
    return {row.id: result for row, result in zip(rows(), found, strict=True)}


_ID_CALLS = (
    "clone fork vfork wait4 waitid getpid gettid getppid getpgrp getpgid getsid setsid set_tid_address"
)
IDS = {table.NUMBERS[name] for name in _ID_CALLS.split()}


def number(step: Step, rax: int | None) -> int | str | None:
    """Ids and addresses are new in every run; all else is compared as it is."""
    if rax is None or rax <= 0:
        return rax
    if step.nr & 0xFFFF_FFFF in IDS:
        return "an id"
    return rax if rax < 4096 else "an address"


def seen(step: Step, result: StepResult) -> tuple[Any, ...]:
    return number(step, result.rax), result.begun, result.changed, result.status, result.childless


def observed(row: Row, result: Result) -> tuple[Any, ...]:
    """What the guest can see, and what the log says of it."""
    child, record, levels = result.child, result.record, row.probe.levels
    return (
        number(levels[0][-1], result.rax), result.died, result.exited, result.hung,
        result.changed_registers, result.memory_changed,
        child and (child.changed_registers, child.status),
        [[*map(seen, *both)] for both in zip(levels, result.steps, strict=True)],
        [signo for signo, _ in result.signals],
        record and (record.call, record.verdict, record.errno, record.rule),
    )  # fmt: skip


# Which bytes are random, and how many of them happen to be what was there before, is chance.
CHANCE = ("getrandom",)


@pytest.mark.parametrize("promise", promises(), ids=lambda promise: promise.title)
def test_both_ways_of_holding_the_parent_are_alike(promise: Promise) -> None:
    emulated, real = results("emulate"), results("kernel")
    differ = [
        row.id
        for row in promise.rows
        if not row.id.startswith(CHANCE) and observed(row, emulated[row.id]) != observed(row, real[row.id])
    ]
    assert differ == []


def test_differences_have_reasons() -> None:
    differing = [one for row in rows() for one in (row.kernel, row.native) if isinstance(one, Differs)]
    assert differing
    assert all(one.because for one in differing)


class Seed(NamedTuple):
    """A guest of one of the four sources: its arguments under a policy and natively; `why` they differ."""

    guest: str
    policy: str
    arguments: tuple[str, ...]
    native: tuple[str, ...]
    why: str = ""


SEEDS = [
    Seed("musl/trampoline", "ostoo", ("ostoo",), ("native",), "the clones that ostoo refuses run natively"),
    Seed(
        "glibc/trampoline", "default", ("ostoo",), ("native",), "the clones that ostoo refuses run natively"
    ),
    Seed("musl/linen", "threads", ("threads",), ("threads",)),
    Seed("musl/linen", "ostoo", ("refused",), ("threads",), "ostoo has no threads: ENOSYS"),
    Seed("musl/clone-wrapper", "ostoo", ("vfork",), ("vfork",)),
    Seed("glibc/clone-wrapper", "default", ("vfork",), ("vfork",)),
    Seed("musl/clone-wrapper", "threads", ("threads",), ("threads",)),
    Seed("musl/spawn", "ostoo", (), ()),
    Seed("glibc/spawn", "default", (), ()),
    Seed("musl/spawn-full", "ostoo", (), ()),
    Seed("musl/stubs-ostoo", "ostoo", ("ostoo",), ("native",), "natively the stubs are real calls"),
]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"{seed.guest}-{seed.policy}")
def test_seeds(seed: Seed, run: Any, guest: Callable[[str], str], threads_policy: str, tmp_path: Any) -> None:
    native = subprocess.run(
        [guest(seed.guest), *seed.native],
        capture_output=True, text=True, cwd=tmp_path, timeout=HANG, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    policy = threads_policy if seed.policy == "threads" else seed.policy
    ran = {
        mode: run(
            seed.guest, *seed.arguments, policy=policy, options=("--vfork", mode, "--cwd", str(tmp_path))
        )
        for mode in ("emulate", "kernel")
    }
    assert (ran["emulate"].status, ran["emulate"].out) == (ran["kernel"].status, ran["kernel"].out)
    assert (native.returncode, native.stderr) == (ran["emulate"].status, ran["emulate"].err) == (0, "")
    if not seed.why:
        assert native.stdout == ran["emulate"].out
