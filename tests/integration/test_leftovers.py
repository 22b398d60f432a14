"""A failing or killed test leaves no process: by a pytest within this one, with the conftest.py of all."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
HANG = 120

KILLED = """
import os, subprocess, sys
TOOL = [sys.executable, "-P", "-c", "import sys; from sandbox.cli.run import main; sys.exit(main())"]

def test_that_is_killed():
    process = subprocess.Popen(
        [*TOOL, "-p", "workspace", "--", "/bin/sh", "-c", "echo started; sleep 1000"],
        stdout=subprocess.PIPE, start_new_session=True,
    )
    assert process.stdout.readline() == b"started\\n"
    children = open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()
    with open("pids.partial", "w") as stream:
        stream.write(" ".join([str(process.pid), *children]))
    os.rename("pids.partial", "pids")
    os.write(int(os.environ["READY"]), b"x")
    process.wait()
"""

LEAVES = """
import subprocess

def test_that_leaves_a_process():
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    process.returncode = 0
    open("pids", "w").write(str(process.pid))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory of integration tests beside the conftest.py of ours."""
    directory = tmp_path / "integration"
    directory.mkdir()
    for name in ("conftest.py", "watcher.py"):
        shutil.copy(TESTS / name, tmp_path / name)
    conftest = tmp_path / "conftest.py"
    conftest.write_text(conftest.read_text().replace("GRACE = 10 ", "GRACE = 0 "))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return directory


def words(project: Path) -> list[str]:
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--import-mode=importlib"]
    return [sys.executable, "-m", "pytest", *options, f"--basetemp={project}/base", str(project)]


def ends(pid: int) -> None:
    """Waits for the end of a process that need not be our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([fd], [], [], HANG)[0], f"process {pid} lives on"
    finally:
        os.close(fd)


def test_a_killed_pytest_takes_its_tools_and_guests_along(project: Path) -> None:
    (project / "test_it.py").write_text(KILLED)
    reader, writer = os.pipe()
    with subprocess.Popen(
        words(project), cwd=project, pass_fds=[writer], env={**os.environ, "READY": str(writer)},
        stdout=subprocess.PIPE, start_new_session=True,
    ) as inner:  # fmt: skip
        os.close(writer)
        said = os.read(reader, 1)
        os.close(reader)
        inner.send_signal(signal.SIGKILL)
        assert said == b"x", inner.communicate()[0].decode()
    pids = [int(word) for word in (project / "pids").read_text().split()]
    assert len(pids) >= 2
    for pid in pids:
        ends(pid)


def test_a_test_that_leaves_a_process_fails_and_the_process_ends(project: Path) -> None:
    (project / "test_it.py").write_text(LEAVES)
    done = subprocess.run(
        words(project), cwd=project, capture_output=True, text=True, timeout=HANG, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "the test has left processes: {" in done.stdout
    assert "sleep 1000" in done.stdout
    ends(int((project / "pids").read_text()))
