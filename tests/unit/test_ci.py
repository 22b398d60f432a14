""".ci/run: which halves it runs, on which files, and what it says if one can't run. Its tools are fake."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TOOLS = {
    "id": 'echo "$FAKE_UID"',
    "chown": "",
    "make": 'echo "make $*" >> "$CALLS"; if [ -n "$FAKE_USER" ]; then ls -A >> "$CALLS"; fi',
    # setpriv OPTIONS... COMMAND: the user can run $USABLE and what make is.
    "setpriv": """shift 5
        case "$1" in make) export FAKE_USER=1; exec "$@" ;; "$USABLE") exit 0 ;; esac
        exit 1""",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with a change that is not committed, a new file, an ignored one and a deleted one."""
    (tmp_path / "bin").mkdir()
    for name, text in TOOLS.items():
        tool(tmp_path / "bin" / name, text)
    checkout = tmp_path / "checkout"
    (checkout / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", checkout / ".ci" / "run")
    for name in ("kept", "deleted"):
        (checkout / name).write_text("committed")
    (checkout / ".gitignore").write_text("ignored\n.venv\n")
    git(checkout, "init", "-q")
    git(checkout, "add", ".")
    (checkout / "deleted").unlink()
    for name in ("new", "ignored"):
        (checkout / name).touch()
    (checkout / ".venv" / "bin").mkdir(parents=True)
    tool(checkout / ".venv" / "bin" / "python", 'echo "python $*" >> "$CALLS"')
    return tmp_path


def tool(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def git(directory: Path, *words: str) -> None:
    subprocess.run(["git", "-C", directory, *words], check=True)


def ci(tree: Path, uid: int, usable: str, **env: str) -> tuple[int, list[str], str]:
    """Its status, what it called, and its standard error."""
    calls = tree / "calls"
    clean = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTHON")}
    clean |= {"PATH": f"{tree}/bin:{os.environ['PATH']}", "CALLS": str(calls), "FAKE_UID": str(uid)}
    done = subprocess.run(
        [tree / "checkout" / ".ci" / "run"], env=clean | {"FAKE_USER": "", "USABLE": usable, **env},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, calls.read_text().splitlines() if calls.exists() else [], done.stderr


pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def test_both_halves_have_the_same_files(tree: Path) -> None:
    status, calls, errors = ci(tree, 0, "/usr/bin/python3")
    assert (status, errors) == (0, "")
    assert calls[:2] == ["make lint", "make test"]
    [other] = [call for call in calls[2:] if call.startswith("make test")]
    assert "tests/unit/launch tests/integration tests/conformance" in other
    files = set(calls[calls.index(other) + 1 :])
    assert {"kept", "new", ".gitignore", ".ci"} <= files
    assert not files & {"deleted", "ignored", ".venv"}


def test_what_the_other_half_leaves_out_is_there() -> None:
    text = (ROOT / ".ci" / "run").read_text()
    [names] = [line for line in text.splitlines() if line.startswith("for left_out in ")]
    for name in names.removeprefix("for left_out in ").removesuffix("; do").split():
        assert (ROOT / "tests" / "integration" / f"test_{name}.py").is_file()
        assert f"test_{name}.py" in text, "a reason is needed"


@pytest.mark.parametrize(("ci_is", "status"), [("", 0), ("false", 0), ("true", 1), ("1", 1)])
def test_a_half_that_cannot_run_is_told(tree: Path, ci_is: str, status: int) -> None:
    found, calls, errors = ci(tree, 0, "none", PYTHON="/bin/true", CI=ci_is)
    assert found == status
    assert "*** NOT TESTED as an ordinary user" in errors
    assert errors.count("set PYTHON to one outside root's home") == (1 if status else 2)
    assert ("make test" in calls) is (status == 0)


def test_an_ordinary_user_runs_his_half(tree: Path) -> None:
    status, calls, errors = ci(tree, 1000, "none", CI="true")
    assert status == 0
    assert [call for call in calls if call.startswith("make")] == ["make lint", "make test"]
    assert errors.count("*** NOT TESTED as root") == 2
