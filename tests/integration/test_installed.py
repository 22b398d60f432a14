"""What a wheel carries: with nothing of the checkout, the prober and the attack programs are there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import HANG, ROOT

MAIN = "import sys; sys.path.insert(0, {place!r}); from sandbox.cli.ctl import main; sys.exit(main())"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of a wheel, as setup.py lays them out, and the core built in the checkout."""
    place = tmp_path_factory.mktemp("installed")
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(place)],
        cwd=ROOT, capture_output=True, text=True, timeout=HANG, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for core in (ROOT / "sandbox" / "_kernel").glob("_core*.so"):
        shutil.copy2(core, place / "sandbox" / "_kernel")
    yield place
    shutil.rmtree(place)


def sandboxctl(installed: Path, where: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-c", MAIN.format(place=str(installed)), *words],
        cwd=where, capture_output=True, text=True, timeout=HANG, check=False,
    )  # fmt: skip


def test_every_program_is_there(installed: Path) -> None:
    package = installed / "sandbox"
    programs = package / "attack" / "programs"
    sources = {path.stem for path in (ROOT / "guests" / "attacks").glob("*.c")}
    assert set(os.listdir(programs)) == sources | {"index.json"}
    assert set(json.loads((programs / "index.json").read_text())) == sources
    assert os.access(package / "conformance" / "prober", os.X_OK)
    assert all(os.access(programs / name, os.X_OK) for name in sources)


def test_policies_and_tables_are_there(installed: Path) -> None:
    package = installed / "sandbox"
    for built, source in (("policies", "policies"), ("conformance/tables", "sandbox/conformance/tables")):
        wanted = {path.relative_to(ROOT / source) for path in (ROOT / source).rglob("*.toml")}
        assert {path.relative_to(package / built) for path in (package / built).rglob("*.toml")} == wanted


def test_conform_in_an_empty_directory(installed: Path, tmp_path: Path) -> None:
    done = sandboxctl(installed, tmp_path, "conform", "compute")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(" rows hold\n")
    assert not list(tmp_path.iterdir())


def test_attack_in_an_empty_directory(installed: Path, tmp_path: Path) -> None:
    done = sandboxctl(installed, tmp_path, "attack", "--policy", "compute", "int80")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "1 contained, 0 ESCAPED" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("gone", "words"),
    [("conformance/prober", ["conform", "compute"]), ("attack/programs", ["attack"])],
    ids=["prober", "attacks"],
)
def test_what_is_not_there_is_one_line(gone: str, words: list[str], installed: Path, tmp_path: Path) -> None:
    shutil.copytree(
        installed / "sandbox", tmp_path / "sandbox", ignore=shutil.ignore_patterns("prober", "programs")
    )
    assert not (tmp_path / "sandbox" / gone).exists()
    done = sandboxctl(tmp_path, tmp_path, *words)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("sandboxctl: the ")
    assert "not built" in line
    assert "run `python guests/build.py" in line
