"""SIGKILL to the supervisor at any moment of a busy run: no guest lives on, whole log lines verify."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sandbox.audit.verifier import verify
from tests.integration.conftest import scratch_in

SHEPHERD = Path(__file__).with_name("shepherd.py")
SEED = 20_480
MOMENTS = 200
LANES = 4
HANG = 60  # seconds for guests to die of SIGKILL; nothing is measured by it
SIGKILL = 9

Guest = Callable[[str], str]


class Crowd(NamedTuple):
    """Guests that never end by themselves: `lanes` of them run `program` again and again."""

    policy: str
    lanes: int
    program: tuple[str, ...]
    options: tuple[str, ...] = ()


CROWDS = (
    Crowd("ostoo", 2, ("musl/spawn", "3")),
    Crowd("ostoo", 2, ("musl/vfork-nested", "8"), ("--vfork", "kernel")),
    Crowd("ostoo", 3, ("musl/vfork-nested", "8")),
    Crowd("default", 2, ("musl/orphan",), ("--output", "1GiB", "--cpu", "1h", "--memory", "1GiB")),
    Crowd("workspace", 3, ("musl/fork-tree", "15")),
    Crowd("workspace", 2, ("glibc/threads-many", "40"), ("--audit-level", "all")),
    Crowd("workspace", 2, ("musl/exec-thread",)),
)


def command(base: Path, *words: str) -> list[str]:
    """A run whose scratch directory is made in `base`."""
    code = f"import sys; {scratch_in(base)}; from sandbox.cli.run import main; sys.exit(main())"
    return [sys.executable, "-P", "-c", code, *words]


def words(crowd: Crowd, guest: Guest, log: Path) -> list[str]:
    program = [guest(crowd.program[0]), *crowd.program[1:]]
    options = ["-p", crowd.policy, "--audit", str(log), *crowd.options]
    if crowd.policy == "workspace":
        options += ["--cwd", "/usr"]
    places = [word for name in ("musl/busy", crowd.program[0]) for word in ("--exec", guest(name))]
    return command(log.parent, *options, *places, "--", guest("musl/busy"), str(crowd.lanes), *program)


def runs(directory: Path, guest: Guest) -> list[dict[str, Any]]:
    """From the opening of the log, when no guest is there yet, to well under way."""
    chance = random.Random(SEED)
    found = []
    for number in range(MOMENTS):
        log = directory / f"{number}.jsonl"
        crowd = CROWDS[number % len(CROWDS)]
        early = chance.random() < 0.3
        size = 0 if early else int(1000 * 150 ** chance.random())
        delay = chance.uniform(0, 0.03 if early else 0.01)
        found.append({"words": words(crowd, guest, log), "log": str(log), "size": size, "delay": delay})
    return found


def shepherd(some: list[dict[str, Any]], hang: int = HANG) -> list[dict[str, int]]:
    done = subprocess.run(
        [sys.executable, str(SHEPHERD), str(hang)], input=json.dumps(some), capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def is_whole(log: Path) -> bool:
    """Nothing was written yet, or all that was written verifies."""
    return not log.exists() or verify(str(log)).state in ("truncated", "complete")


def test_no_guest_survives(guest: Guest, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    planned = runs(tmp_path, guest)
    lanes = [planned[lane::LANES] for lane in range(LANES)]
    with ThreadPoolExecutor(LANES) as pool:
        results = list(pool.map(shepherd, lanes))
    for some, told in zip(lanes, results, strict=True):
        for one, result in zip(some, told, strict=True):
            assert result == {"status": -SIGKILL, "left": 0}, one
            assert is_whole(Path(one["log"])), one

    left = list(tmp_path.glob("ostoo-sandbox-*/*"))
    assert left
    for _ in left:  # one run takes what it can in a moment
        subprocess.run(command(tmp_path, "--", "/bin/true"), check=True, timeout=HANG)
        if not list(tmp_path.glob("ostoo-sandbox-*/*")):
            return
    pytest.fail("what killed runs leave is not cleared")


def test_the_shepherd_sees_what_is_left(guest: Guest, tmp_path: Path) -> None:
    """Natively a grandchild outlives the program, whose end is waited for: its log never comes."""
    natively = {"words": [guest("musl/orphan")], "log": str(tmp_path / "none"), "size": 1, "delay": 0}
    assert shepherd([natively], hang=1) == [{"status": 0, "left": 1}]
