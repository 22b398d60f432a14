"""SIGKILL to the supervisor at any moment of a busy run: no guest lives on, whole log lines verify."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.audit.verifier import verify

HANG = 60


def session_of(pid: str) -> int:
    """The session of a process that is not a zombie, or 0."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] in "ZX" else int(fields[3])


def members(session: int) -> list[str]:
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and session_of(pid) == session]


@pytest.mark.parametrize("moment", [1, 700, 1500, 2000, 5000, 9000, 20_000, 50_000, 100_000, 250_000])
@pytest.mark.parametrize(
    "arguments", [("musl/spawn", "100000"), ("musl/vfork-nested", "8")], ids=lambda one: one[0]
)
def test_no_guest_survives(
    moment: int, arguments: tuple[str, ...], guest: Callable[[str], str], tmp_path: Path
) -> None:
    log = tmp_path / "audit.jsonl"
    words = [sys.executable, "-P", "-c", "import sys; from sandbox.cli.run import main; sys.exit(main())"]
    process = subprocess.Popen(
        [*words, "-p", "ostoo", "--audit", str(log), "--", guest(arguments[0]), *arguments[1:]],
        start_new_session=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    while process.poll() is None and not (log.exists() and log.stat().st_size >= moment):
        pass
    process.kill()
    process.wait()
    end = time.monotonic() + HANG
    while members(process.pid):
        assert time.monotonic() < end, "a guest outlived its supervisor"
    assert verify(str(log)).state in ("truncated", "complete")
