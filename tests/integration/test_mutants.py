"""Tests of the tests: deliberate breakages of a copy of the product, each caught by rows of the ostoo tables.

A row that no breakage makes fail would prove nothing. Here each breakage names rows that must notice it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
HANG = 120  # seconds after which a run is taken to hang; nothing is measured by it
PROBER = Path("guests", "build", "raw", "prober")

BIRTHS = "sandbox/supervisor/births.py"
LOOP = "sandbox/supervisor/loop.py"
APPLY = "sandbox/supervisor/apply.py"
OSTOO = "policies/ostoo.toml"

FLAGS_RULE = """[[rule]]
id = "clone-flags"
call = "clone"
unless = { flags = "CLONE_VM|CLONE_VFORK|SIGCHLD" }
"""

STACK_RULE = """[[rule]]
id = "stack-first"
call = "clone"
when = { child_stack = 0 }
verdict = "EINVAL"

"""


class Mutant(NamedTuple):
    """One breakage: in `file`, `old` (which is there once) becomes `new`. Every one of `rows` must notice."""

    name: str
    file: str
    old: str
    new: str
    rows: frozenset[str]


def mutant(name: str, file: str, old: str, new: str, *rows: str) -> Mutant:
    return Mutant(name, file, old, new, frozenset(rows))


MUTANTS = [
    mutant(
        "accepts 0x4100 as well",
        OSTOO,
        FLAGS_RULE,
        FLAGS_RULE.replace(
            '{ flags = "CLONE_VM|CLONE_VFORK|SIGCHLD" }', "{ flags = { in = [0x4111, 0x4100] } }"
        ),
        "clone-flags-16640-stack",
        "clone-flags-16640-0",
    ),
    mutant(
        "checks the stack before the flags",
        OSTOO,
        FLAGS_RULE,
        STACK_RULE + FLAGS_RULE,
        "clone-flags-0-0",
        "clone-flags-0x100004111-0",
        "clone-bit-bit-0-0",
        "clone-bit-bit-63-0",
    ),
    mutant(
        "forgets the child's r9",
        BIRTHS,
        """            if order.request.stripped:
""",
        """            stopped.set_register("r9", 0)
            if order.request.stripped:
""",
        "clone-accepted-stack",
        "clone-accepted-kernel",
        "clone-accepted-junk-arena-arena-arena",
    ),
    mutant(
        "aligns the child's stack",
        BIRTHS,
        """            if order.request.stripped:
""",
        """            stopped.set_register("rsp", order.request.stack & ~15)
            if order.request.stripped:
""",
        "clone-accepted-stack-7",
        "clone-accepted-1",
        "clone-accepted-minus-1",
    ),
    mutant(
        "takes a NULL stack",
        OSTOO,
        """when = { child_stack = 0 }
verdict = "EINVAL"
""",
        """when = { child_stack = 0 }
verdict = "allow"
""",
        "clone-null-stack-0-0",
        "clone-null-stack-natively",
    ),
    mutant(
        "releases the parent at an execve that fails",
        LOOP,
        """        if isinstance(verdict, Allow):
            if (changes :=""",
        """        if call.nr in images.EXEC_CALLS:
            self.births.on_exec(stopped.task)
        if isinstance(verdict, Allow):
            if (changes :=""",
        "blocked-over-failed-exec",
        "blocked-over-failed-exec-by-kernel",
        "blocked-over-failed-exec-until-exec",
    ),
    mutant(
        "answers EPERM to what is not listed",
        OSTOO,
        'unlisted = "ENOSYS"\n\n[calls]',
        'unlisted = "EPERM"\n\n[calls]',
        "unlisted-100",
        "other-ways-57-0",
        "high-bits-refused-0x100000039",
        "blocked-nested-refused",
    ),
    mutant(
        "leaves the child's rdi changed",
        BIRTHS,
        """                stopped.set_register("rdi", order.request.flags)
""",
        """                pass
""",
        "clone-accepted-stack",
        "blocked-until-exit",
    ),
    mutant(
        "leaves the parent's rdi changed",
        APPLY,
        """        stopped.set_register(name, value)
    stopped.task.restore = {}
""",
        """        pass
    stopped.task.restore = {}
""",
        "clone-accepted-stack",
        "blocked-until-exit",
    ),
    mutant(
        "leaves signals blocked in the child",
        BIRTHS,
        """            stopped.set_signal_mask(order.request.mask)
            if not""",
        """            if not""",
        "blocked-until-terminated",
    ),
    mutant(
        "leaves signals blocked in the parent",
        BIRTHS,
        """        stopped.set_signal_mask(self._masks.pop(tid))
        self._parents[tid]""",
        """        self._masks.pop(tid)
        self._parents[tid]""",
        "blocked-signal-pending",
    ),
    mutant(
        "compares 32 bits of the flags",
        "sandbox/syscalls/_calls_low.py",
        '"clone flags:ulong:',
        '"clone flags:uint:',
        "clone-bit-bit-32-stack",
        "clone-bit-bit-63-stack",
        "clone-flags-0x100004111-stack",
    ),
    mutant(
        "does not hold the parent",
        BIRTHS,
        """self._blocking if flags & CLONE_VFORK else "none\"""",
        """"none\"""",
        "blocked-until-exit",
        "blocked-until-exec",
        "blocked-until-killed",
    ),
    mutant(
        "lets int 0x80 through the filter",
        "sandbox/seccomp/compile.py",
        'numbers, kill, "architecture',
        'numbers, numbers, "architecture',
        "int80-20",
    ),
    mutant(
        "takes x32 numbers for unlisted ones",
        "sandbox/seccomp/table.py",
        "((X32_BIT, NEGATIVE - 1),), builder.add(Leaf(RET_KILL_PROCESS))",
        "((X32_BIT, NEGATIVE - 1),), unlisted",
        "x32-1073741824",
        "x32-high-0x7fffffff",
    ),
    mutant(
        "lets every held parent go when any child has ended",
        "sandbox/supervisor/vfork.py",
        """        if child not in self._waiting:
            return []
""",
        """        if child not in self._waiting:
            return [Go(parent) for parent, _ in self._waiting.values()]
""",
        "blocked-over-grandchild",
    ),
]

# Found by what a policy's own rules say, without a table: (breakage, calls that notice).
DERIVED = [
    mutant(
        "takes < for <= in the filter",
        "sandbox/seccomp/table.py",
        '"le": (0, limit),',
        '"le": (0, limit - 1),',
        "wait4()",
    ),
    mutant(
        "answers EPERM to what is not listed",
        "sandbox/supervisor/apply.py",
        "return Answer(stopped.spend(), -number)",
        "return Answer(stopped.spend(), -1)",
        "getuid()",
        "fork()",
    ),
]

RUN_ROWS = """
import json, sys
import sandbox
from sandbox.conformance import judge, tables
from sandbox.conformance.run import run_probes

wanted = set(json.load(sys.stdin))
rows = [row for one in tables.load(tables.shipped("ostoo")) for row in one.rows if row.id in wanted]
found = {}
for level in sorted({row.level for row in rows}):
    some = [row for row in rows if row.level == level]
    results = run_probes("ostoo", [row.probe for row in some], level=level, wall=5)
    found |= {row.id: judge.differences(row, result) for row, result in zip(some, results)}
print(json.dumps({"from": sandbox.__file__, "differences": found}))
"""

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
    rows = frozenset().union(*(one.rows for one in MUTANTS))
    assert {row: found for row, found in differences(copy, rows).items() if found} == {}


@pytest.mark.parametrize("one", MUTANTS, ids=lambda one: one.name)
def test_a_broken_product_is_caught_by(one: Mutant, copy: Path) -> None:
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
