"""Runs that are not begun: where the log and the outcome go, and what the outcome says then."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import HANG, command


def failed(*options: str, cwd: Path, fds: tuple[int, ...] = ()) -> str:
    done = subprocess.run(
        command(*options, "--", "/bin/true"), cwd=cwd, capture_output=True, text=True, check=False,
        pass_fds=fds, timeout=HANG,
    )  # fmt: skip
    assert done.returncode == 125
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("run-untrusted-binary: ").rstrip("\n")


REFUSED = [
    ("-p", "no-such-policy"),
    ("--timeout", "abc"),
    ("--read", "/no/such/place"),
    ("--audit", "/no/such/place/log"),
    ("--audit", "keep.json"),
    ("--waive", "wall"),
    ("--user", "no-such-user"),
    ("--cwd", "/no/such/place"),
    ("-p", "workspace"),
]


@pytest.mark.parametrize("options", REFUSED, ids=" ".join)
def test_a_refused_request_changes_nothing(options: tuple[str, ...], tmp_path: Path) -> None:
    keep = tmp_path / "keep.json"
    keep.write_text('{"status": "ok"}')
    failed("--outcome", "keep.json", "--audit", "log", *options, cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["keep.json"]
    assert keep.read_text() == '{"status": "ok"}'
    keep.unlink()
    failed("--outcome", "keep.json", *options, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options", REFUSED[:4], ids=" ".join)
def test_who_reads_a_pipe_is_told_of_a_refused_request(options: tuple[str, ...], tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader) as stream:
        reason = failed("--outcome", f"/dev/fd/{writer}", *options, cwd=tmp_path, fds=(writer,))
        os.close(writer)
        told = json.loads(stream.read())
    assert (told["status"], told["reason"]) == ("setup-error", reason)


def test_a_run_that_cannot_begin_is_told_in_its_outcome(tmp_path: Path) -> None:
    (tmp_path / "outcome").write_text('{"status": "ok"}')
    done = subprocess.run(
        command("--outcome", "outcome", "--audit", "log", "--", "/no/such/program"),
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 127
    assert json.loads((tmp_path / "outcome").read_text())["status"] == "setup-error"
    assert (tmp_path / "log").stat().st_size > 0


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
    if there:
        (tmp_path / "file").write_text("kept")
    said = failed("--audit", "file", "--outcome", "./file", cwd=tmp_path)
    assert said == "--audit and --outcome are the same file: ./file"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"] * there


@pytest.mark.parametrize(
    ("words", "status", "out"),
    [
        (("--cwd", "/", "--", "/bin/echo", "elsewhere"), 0, "elsewhere\n"),
        (("--cwd", "/", "--", "echo", "elsewhere"), 0, "elsewhere\n"),
        (("--cwd", "/", "--", "./echo"), 127, ""),
    ],
)
def test_a_deleted_directory_is_no_matter_to_a_run_elsewhere(
    words: tuple[str, ...], status: int, out: str, tmp_path: Path
) -> None:
    script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *command(*words)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (status, out), done.stderr


def test_a_deleted_working_directory(tmp_path: Path) -> None:
    script = ("mkdir gone && cd gone && rmdir ../gone && exec", '"$@"')
    done = subprocess.run(
        ["/bin/sh", "-c", " ".join(script), "sh", *command("--", "/bin/true")],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 125
    assert done.stderr.startswith("run-untrusted-binary: the working directory is there no more")
