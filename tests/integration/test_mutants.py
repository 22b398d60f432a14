"""Tests of the tests: deliberate breakages of a copy of the product, each caught by rows of the ostoo tables.

A row that no breakage makes fail would prove nothing. Here each breakage names rows that must notice it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from ctypes import CDLL, c_ulong
from pathlib import Path

import pytest

from tests.integration.mutants import BASES, DERIVED, MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
HANG = 120  # seconds after which a run is taken to hang; nothing is measured by it
PROBER = Path("guests", "build", "raw", "prober")
FAILING_CLONE = ROOT / "tests" / "integration" / "failing-clone.conform.toml"

AT_HWCAP2, HWCAP2_FSGSBASE = 26, 2  # asm/hwcap2.h
without_bases = pytest.mark.skipif(
    not c_ulong(CDLL(None)["getauxval"](c_ulong(AT_HWCAP2))).value & HWCAP2_FSGSBASE,
    reason="no program can read fs_base and gs_base here",
)

RUN_ROWS = """
import json, sys
import sandbox
from sandbox.conformance import judge, tables
from sandbox.conformance.run import run_probes

wanted = set(json.load(sys.stdin))
paths = [*tables.shipped("ostoo"), FAILING_CLONE]
rows = [row for one in tables.load(paths) for row in one.rows if row.id in wanted]
found = {}
for policy, level in sorted({(row.policy, row.level) for row in rows}):
    some = [row for row in rows if (row.policy, row.level) == (policy, level)]
    results = run_probes(policy, [row.probe for row in some], level=level, wall=5)
    found |= {row.id: judge.differences(row, result) for row, result in zip(some, results)}
print(json.dumps({"from": sandbox.__file__, "differences": found}))
""".replace("FAILING_CLONE", repr(str(FAILING_CLONE)))

RUN_DERIVED = """
import json, sys
import sandbox
from sandbox.conformance import generated

wanted = set(json.load(sys.stdin))
checked = generated.conform("ostoo").checked
found = {one.derived.id: [one.problem] * bool(one.problem) for one in checked if one.derived.id in wanted}
print(json.dumps({"from": sandbox.__file__, "differences": found}))
"""


def differences(copy: Path, rows: frozenset[str], program: str = RUN_ROWS) -> dict[str, list[str]]:
    """What a copy of the product does otherwise than these rows say, by row; [] where a row holds."""
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        input=json.dumps(sorted(rows)), capture_output=True, text=True, timeout=HANG, check=False,
        env=environment, cwd=copy,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert Path(answer["from"]).is_relative_to(copy)
    found: dict[str, list[str]] = answer["differences"]
    assert found.keys() == rows, "a row that there is not"
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The product, with its built core and prober, where it may be broken."""
    leave = shutil.ignore_patterns("*.c", "*.o", "programs")
    shutil.copytree(ROOT / "sandbox", tmp_path / "sandbox", ignore=leave)
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    (tmp_path / PROBER.parent).mkdir(parents=True)
    shutil.copy2(ROOT / PROBER, tmp_path / PROBER)
    return tmp_path


def broken(copy: Path, one: Mutant) -> None:
    path = copy / one.file
    text = path.read_text(encoding="utf-8")
    assert text.count(one.old) == 1, f"{one.file} has changed: {one.name} breaks nothing there"
    path.write_text(text.replace(one.old, one.new), encoding="utf-8")
    for cached in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        cached.unlink()


def test_an_unbroken_copy_is_not_blamed(copy: Path) -> None:
    rows = frozenset().union(*(one.rows for one in [*MUTANTS, *BASES]))
    assert {row: found for row, found in differences(copy, rows).items() if found} == {}


@pytest.mark.parametrize("one", MUTANTS, ids=lambda one: one.name)
def test_a_broken_product_is_caught_by(one: Mutant, copy: Path) -> None:
    broken(copy, one)
    caught = {row for row, found in differences(copy, one.rows).items() if found}
    assert caught == one.rows


@without_bases
@pytest.mark.parametrize("one", BASES, ids=lambda one: one.name)
def test_a_broken_base_is_caught_by(one: Mutant, copy: Path) -> None:
    broken(copy, one)
    caught = {row for row, found in differences(copy, one.rows).items() if found}
    assert caught == one.rows


def test_probes_derived_from_the_policy_do_not_blame_an_unbroken_copy(copy: Path) -> None:
    rows = frozenset().union(*(one.rows for one in DERIVED))
    assert {row: found for row, found in differences(copy, rows, RUN_DERIVED).items() if found} == {}


@pytest.mark.parametrize("one", DERIVED, ids=lambda one: one.name)
def test_a_broken_product_is_caught_by_probes_derived_from_the_policy(one: Mutant, copy: Path) -> None:
    broken(copy, one)
    caught = {row for row, found in differences(copy, one.rows, RUN_DERIVED).items() if found}
    assert caught == one.rows
