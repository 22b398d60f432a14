"""Core dumps are off, and a guest cannot turn them on."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import command

HANG = 120
VALUE = "0" if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0 else "1"
LIMIT = "import resource; print(*resource.getrlimit(resource.RLIMIT_CORE))"
CHANGES = f"""
import resource
for value in (0, 1 << 20, resource.RLIM_INFINITY):
    try: resource.setrlimit(resource.RLIMIT_CORE, (value, value))
    except (OSError, ValueError): pass
{LIMIT}
"""
CRASHES = """
import os, resource, signal
pid = os.fork()
if pid == 0:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), signal.SIGSEGV)
status = os.waitpid(pid, 0)[1]
print(os.WTERMSIG(status) == signal.SIGSEGV, os.WCOREDUMP(status))
"""


def said(policy: str, python: str, code: str, directory: Path) -> str:
    done = subprocess.run(
        [*command("-p", policy), "--", python, "-I", "-S", "-c", code],
        capture_output=True, text=True, timeout=HANG, check=True, cwd=directory,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.parametrize("policy", ["default", "workspace", "compute", "observe"])
def test_the_limit_is_1(policy: str, python: str, tmp_path: Path) -> None:
    assert said(policy, python, LIMIT, tmp_path) == f"{VALUE} {VALUE}"


@pytest.mark.parametrize("policy", ["default", "workspace", "compute"])
def test_the_limit_stays(policy: str, python: str, tmp_path: Path) -> None:
    assert said(policy, python, CHANGES, tmp_path) == f"{VALUE} {VALUE}"


def test_a_crash_leaves_nothing(python: str, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        tmp_path.chmod(0o777)
    assert said("workspace", python, CRASHES, tmp_path) == "True False"
    assert list(tmp_path.iterdir()) == []
