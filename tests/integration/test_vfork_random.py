"""Random trees of spawn, exec, exit, kill and nested spawn: held by the supervisor or by the kernel, parents
go on as a model of the specification says. The seeds are fixed, so a failure can be had again."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import HANG, command

TREES = 1000
DEEPEST = 5
HANDLED = (signal.SIGUSR1, signal.SIGUSR2)
DEADLY = (signal.SIGKILL, signal.SIGTERM, signal.SIGABRT, signal.SIGALRM)

Event = tuple[int, str, int]
Step = tuple[str, object]
Script = list[Step]


# ---- scripts ----


def script(chance: random.Random, depth: int = 0, *, foreign: bool = True) -> Script:
    """What one task does. The root ends by its script's end only, since it tells what happened."""
    steps: Script = []
    for _ in range(chance.randint(1, 4)):
        letter = chance.choice("SSSSFULL" if depth else "SSSL")
        if letter == "S" and depth < DEEPEST:
            steps.append(("S", script(chance, depth + 1, foreign=foreign)))
        elif letter == "F":
            steps.append(("F", 0))
        elif letter == "U":
            steps.append(("U", int(chance.choice(HANDLED))))
        else:
            steps.append(("L", chance.randint(0, 30)))
    return [*steps, ending(chance, depth, foreign=foreign)] if depth else steps


def ending(chance: random.Random, depth: int, *, foreign: bool) -> Step:
    letter = chance.choice("EEEXXXKG." + "V" * foreign + "Q" * (depth > 1))
    match letter:
        case "K":
            return "K", int(chance.choice(DEADLY))
        case "E" | "X":
            return letter, chance.randint(0, 255)
        case ".":
            return "L", 0
        case _:
            return letter, 0


def encoded(steps: Script) -> bytes:
    return b"".join(one for step in steps for one in _encoded(step))


def _encoded(step: Step) -> Iterator[bytes]:
    letter, value = step
    yield letter.encode()
    if isinstance(value, list):
        inner = encoded(value)
        yield struct.pack("<H", len(inner)) + inner
    elif letter in "EXKUL":
        assert isinstance(value, int)
        yield bytes([value])


# ---- the specification ----


class Model:
    """What a parent and its child do in turn: the parent nothing while its child has its memory."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def task(self, steps: Script, depth: int, pending: set[int]) -> tuple[int, bool]:
        """The task's wait status, and whether it killed its parent. `pending` are its parent's signals."""
        mine: set[int] = set()
        for letter, value in steps:
            if letter == "S":
                assert isinstance(value, list)
                status, killed_us = self.task(value, depth + 1, mine)
                if killed_us:
                    return signal.SIGKILL, False
                self.events += [(0, "H", signo) for signo in sorted(mine)]
                mine.clear()
                self.events.append((depth, "R", status))
            elif letter != "L":
                assert isinstance(value, int)
                if (ended := self._act(letter, value, depth, pending)) is not None:
                    return ended, letter == "Q"
        return 0, False

    def _act(self, letter: str, value: int, depth: int, pending: set[int]) -> int | None:
        self.events.append((depth, letter, errno.ENOENT if letter == "F" else value))
        match letter:
            case "U":
                pending.add(value)
                return None
            case "F":
                return None
            case "E" | "X":
                return value << 8
            case "K":
                return value
            case "G":
                return signal.SIGSEGV
            case "V":
                return signal.SIGSYS
            case _:
                return 0


def predicted(steps: Script) -> list[Event]:
    model = Model()
    model.task(steps, 0, set())
    return model.events


# ---- the real thing ----


def decoded(output: bytes) -> Iterator[list[Event]]:
    at = 0
    while at < len(output):
        (count,) = struct.unpack_from("<H", output, at)
        found = struct.iter_unpack("<BcH", output[at + 2 : at + 2 + 4 * count])
        # A core may have been left, or not: bit 7 of a wait status (wait(2)).
        yield [
            (depth, letter.decode(), value & ~0x80 if letter == b"R" and value & 0x7F else value)
            for depth, letter, value in found
        ]
        at += 2 + 4 * count


def trees(seed: int, *, foreign: bool = True) -> list[Script]:
    chance = random.Random(seed)
    return [script(chance, foreign=foreign) for _ in range(TREES)]


def told(words: list[str], scripts: list[Script], where: Path, status: int = 0) -> list[list[Event]]:
    data = b"".join(struct.pack("<H", len(one)) + one for one in map(encoded, scripts))
    done = subprocess.run(words, input=data, capture_output=True, cwd=where, timeout=HANG, check=False)
    assert done.returncode == status, done.stderr
    assert b"FAIL" not in done.stderr
    return list(decoded(done.stdout))


@pytest.fixture
def program(guest: Callable[[str], str], tmp_path: Path) -> str:
    """The guest where every user may execute it."""
    path = str(shutil.copy(guest("raw/vfork-random"), tmp_path))
    os.chmod(path, 0o755)
    return path


def assert_same(got: list[list[Event]], scripts: list[Script]) -> None:
    assert len(got) == len(scripts)
    for number, (events, steps) in enumerate(zip(got, scripts, strict=True)):
        assert events == predicted(steps), f"tree {number}: {steps}"


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("mode", ["emulate", "kernel"])
def test_as_the_model_says(mode: str, seed: int, program: str, tmp_path: Path) -> None:
    scripts = trees(seed)
    words = [*command("-q", "-p", "ostoo", "--vfork", mode), "--", program]
    # A run in which any process is killed by the policy ends with SIGSYS's status.
    assert_same(told(words, scripts, tmp_path, 128 + signal.SIGSYS), scripts)


def test_natively_as_the_model_says(program: str, tmp_path: Path) -> None:
    scripts = trees(4, foreign=False)
    assert_same(told([program], scripts, tmp_path), scripts)


def test_scripts_hold_what_they_should() -> None:
    letters = {event[1] for steps in trees(1) for event in predicted(steps)}
    assert letters == set("RHEXFKGVUQ")
    assert max(event[0] for steps in trees(1) for event in predicted(steps)) == DEEPEST
    assert sum(event[1] == "R" for steps in trees(1) for event in predicted(steps)) > 2 * TREES
