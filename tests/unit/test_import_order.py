"""Import order: a file imports only from its own room and from rooms below it, and nobody but `_kernel`
touches cffi, python-ptrace or waiting."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "sandbox"

# Rooms by rank, lowest first. Rooms of one rank stand side by side and do not import each other.
RANKS = [
    {"errors", "outcome", "pipes"},
    {"syscalls", "output_file", "isolated"},
    {"_kernel", "elf", "policy"},
    {"seccomp", "rules", "audit"},
    {"launch", "supervisor"},
    {"request"},
    {"runner"},
    {"client", "worker", "report", "oci", "policytools", "attack", "doctor"},
    {"conformance"},
    {"cli", "pytest_plugin"},
    {"__main__"},
]
RANK = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}
DOOR = {"cffi", "ptrace"}
# The package's own face: its version, and lazily everything public.
FACE = "sandbox"

FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            if node.module == FACE:
                names |= {f"{FACE}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_from_below(path: Path) -> None:
    room = room_of(path)
    assert room in RANK, f"{room} has no rank"
    for name in imported(path):
        if name in (FACE, f"{FACE}.__version__") or not name.startswith(f"{FACE}."):
            continue
        other = name.split(".")[1]
        assert other == room or RANK[other] < RANK[room], f"{path.name} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_one_door_to_the_kernel(path: Path) -> None:
    if room_of(path) == "_kernel":
        return
    assert not {name.split(".")[0] for name in imported(path)} & DOOR
    assert "os.wait" not in path.read_text()


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "room",
    [
        "policy.load",
        "seccomp.compile",
        "seccomp.simulate",
        "audit.writer",
        "audit.reader",
        "supervisor.vfork",
    ],
)
def test_pure_rooms_never_load_the_core(room: str) -> None:
    assert "sandbox._kernel._core" not in loaded_after(f"import sandbox.{room}")


HEAVY = {"dataclasses", "inspect", "subprocess", "elftools", "ptrace", "logging", "asyncio", "cffi", "pickle"}


def test_a_run_loads_nothing_heavy() -> None:
    assert not {name.split(".")[0] for name in loaded_after("import sandbox.cli.run")} & HEAVY


def test_every_room_is_packaged() -> None:
    listed = set(
        tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    )
    there = {".".join(path.parent.relative_to(PACKAGE.parent).parts) for path in PACKAGE.rglob("__init__.py")}
    assert listed == there | {"sandbox.policies"}
