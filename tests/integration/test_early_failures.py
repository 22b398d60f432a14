"""Runs that are not begun: where the log and the outcome go, and what the outcome says then."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import command


def failed(*options: str, cwd: Path) -> str:
    done = subprocess.run(
        command(*options, "--", "/bin/true"), cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 125
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("run-untrusted-binary: ").rstrip("\n")


@pytest.mark.parametrize(
    "options",
    [
        ("-p", "no-such-policy"),
        ("--timeout", "abc"),
        ("--read", "/no/such/place"),
        ("--audit", "/no/such/place/log"),
        ("--waive", "wall"),
    ],
)
def test_the_outcome_says_so(options: tuple[str, ...], tmp_path: Path) -> None:
    outcome = tmp_path / "outcome.json"
    outcome.write_text('{"status": "ok"}')
    reason = failed("--outcome", str(outcome), *options, cwd=tmp_path)
    told = json.loads(outcome.read_text())
    assert (told["status"], told["reason"]) == ("setup-error", reason)


def test_a_log_the_guest_may_write_is_not_begun(tmp_path: Path) -> None:
    precious, new = tmp_path / "precious", tmp_path / "new"
    precious.write_text("kept")
    for path in (precious, new):
        assert "the guest may write there" in failed("-p", "workspace", "--audit", path.name, cwd=tmp_path)
        assert "the guest may write there" in failed(
            "-p", "workspace", "--dry-run", "--audit", path.name, cwd=tmp_path
        )
    assert precious.read_text() == "kept"
    assert not new.exists()


@pytest.mark.parametrize("there", [True, False])
def test_log_and_outcome_are_two_files(tmp_path: Path, there: bool) -> None:
    (tmp_path / "link").symlink_to("file")
    if there:
        (tmp_path / "file").write_text("")
    said = failed("--audit", "file", "--outcome", "link", cwd=tmp_path)
    assert said == "--audit and --outcome are the same file: link"


def test_a_deleted_working_directory(tmp_path: Path) -> None:
    script = ("mkdir gone && cd gone && rmdir ../gone && exec", '"$@"')
    done = subprocess.run(
        ["/bin/sh", "-c", " ".join(script), "sh", *command("--", "/bin/true")],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 125
    assert done.stderr.startswith("run-untrusted-binary: the working directory is there no more")
