"""Tests of the tests that hold a guard: with its line removed, or turned round, each of them fails.

No row of a conformance table would notice the mutants in guards.toml (for others see `test_mutants`). Each
names tests, one of which must fail in a copy of the product that is broken so; the copy's core is built again
if the mutant is in C. The `quick` ones run always, all of them with SANDBOX_ALL_MUTANTS=1.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
HANG = 120  # seconds after which a run is taken to hang; nothing is measured by it
BROKEN_HANG = 15  # the same for a product that is broken, and is expected to do so
TABLE = Path(__file__).with_name("guards.toml")
ALL = os.environ.get("SANDBOX_ALL_MUTANTS") == "1"

BUILD = "from sandbox._kernel.build import HERE, ffibuilder; ffibuilder.compile(tmpdir=str(HERE.parents[1]))"
TEST = """
import sys, pytest, sandbox
assert sandbox.__file__.startswith(sys.argv[1]), sandbox.__file__
sys.exit(pytest.main(sys.argv[2:]))
"""


class Guard(NamedTuple):
    """An entry of guards.toml."""

    name: str
    file: str
    old: str
    new: str
    tests: list[str]
    quick: bool = False


GUARDS = [Guard(**one) for one in tomllib.loads(TABLE.read_text(encoding="utf-8"))["guard"]]
CHOSEN = [one for one in GUARDS if ALL or one.quick]


def python(copy: Path, *words: str, hang: int = HANG) -> str:
    """What a Python says that finds the product in a copy."""
    environment = os.environ | {
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "CFLAGS": "-O0",
        "SANDBOX_HANG": str(hang),
    }
    done = subprocess.run(
        [sys.executable, "-P", *words], capture_output=True, text=True, timeout=2 * HANG, check=False,
        stdin=subprocess.DEVNULL, env=environment, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout + done.stderr


def outcomes(copy: Path, *tests: str, hang: int = HANG) -> tuple[dict[str, int], str]:
    """How many of these tests "passed", "failed" and so on, run on a copy of the product up to the first that
    fails, and all that pytest said."""
    places = [str(ROOT / "tests" / one) for one in tests]
    options = ("-q", "-x", "-p", "no:cacheprovider", "--basetemp", str(copy / "pytest-ground"))
    said = python(copy, "-c", TEST, str(copy), *options, *places, hang=hang)
    counts = re.findall(r"(\d+) (passed|failed|error|skipped)", said.strip().splitlines()[-1])
    assert counts, said
    return {word: int(number) for number, word in counts}, said


@pytest.fixture
def copy() -> Iterator[Path]:
    """The product where it may be broken, and where other users can reach it at every moment: pytest closes
    directories of its own when a session starts."""
    path = Path(tempfile.mkdtemp(prefix="test-guards-", dir="/tmp"))
    path.chmod(0o755)
    leave = shutil.ignore_patterns("__pycache__", "_core.*", "programs", "tables")
    try:
        shutil.copytree(ROOT / "sandbox", path / "sandbox", ignore=leave)
        shutil.copytree(ROOT / "policies", path / "policies")
        yield path
    finally:
        shutil.rmtree(path)


def built(copy: Path, guard: Guard | None = None) -> Path:
    """The copy with its core: our own, or, where the guard was in C, one of its own."""
    if guard is not None and guard.file.endswith(".c"):
        assert "error" not in python(copy, "-c", BUILD), f"{guard.name} cannot be compiled"
        assert list((copy / "sandbox" / "_kernel").glob("_core.*.so"))
    else:
        [core] = (ROOT / "sandbox" / "_kernel").glob("_core.*so")
        shutil.copy2(core, copy / "sandbox" / "_kernel")
    return copy


def broken(copy: Path, guard: Guard) -> Path:
    path = copy / guard.file
    text = path.read_text(encoding="utf-8")
    assert text.count(guard.old) == 1, f"{guard.file} has changed: {guard.name} breaks nothing there"
    text = text.replace(guard.old, guard.new)
    if path.suffix == ".py":
        compile(text, str(path), "exec")
    path.write_text(text, encoding="utf-8")
    return built(copy, guard)


def test_every_mutant_has_its_place_and_its_tests() -> None:
    """Also those that are tried only sometimes: whoever changes a guarded line is told at once."""
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
    lost = [one.name for one in GUARDS if (ROOT / one.file).read_text(encoding="utf-8").count(one.old) != 1]
    assert lost == []
    for file, _, name in (one.partition("::") for guard in GUARDS for one in guard.tests):
        assert f"\ndef {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), name


def test_an_unbroken_copy_passes(copy: Path) -> None:
    found, said = outcomes(built(copy), *sorted({one for guard in CHOSEN for one in guard.tests}))
    assert found.keys() <= {"passed", "skipped"}, said


@pytest.mark.parametrize("guard", CHOSEN, ids=lambda one: one.name)
def test_it_is_missed(guard: Guard, copy: Path) -> None:
    found, said = outcomes(broken(copy, guard), *guard.tests, hang=BROKEN_HANG)
    if found.keys() == {"skipped"}:
        pytest.skip("what would notice cannot be run here")
    assert found.get("failed"), said
