"""Running real guests the way a user does: by the command, with its log and outcome read back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.reach import open_above

ROOT = Path(__file__).resolve().parents[2]
GUESTS = ROOT / "guests" / "build"
HANG = 120  # seconds after which a test is taken to hang; nothing is measured by it


class Ran(NamedTuple):
    """A finished run: what the caller saw, the outcome file and the audit records."""

    status: int
    out: str
    err: str
    outcome: dict[str, Any]
    records: list[dict[str, Any]]

    def events(self, *names: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["event"] in names]

    def calls(self, name: str) -> list[dict[str, Any]]:
        return [record for record in self.events("call") if record["call"] == name]


# The end of a script that has made `insns`, BPF instructions: allows the rest, installs them, runs argv[2:].
INSTALL = """
import ctypes, os, struct, sys
insns += [(6, 0, 0, 0x7FFF0000)]
text = b"".join(struct.pack("<HBBI", *one) for one in insns)
code = ctypes.create_string_buffer(text, len(text))
head = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(insns), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, head, 0, 0) == 0
os.execv(sys.argv[2], sys.argv[2:])
"""


def _python() -> str:
    """A Python that any user may run: a guest of root's is nobody, who cannot look into root's home."""
    for path in ("/usr/bin/python3", "/usr/local/bin/python3"):
        if shutil.which(path):
            return path
    return sys.executable


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter that tests run as a guest."""
    return _python()


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """A directory of the test's own that a guest of root's may read, and reach by its full path."""
    open_above(tmp_path)
    tmp_path.chmod(0o755)
    return tmp_path


def command(*words: str) -> list[str]:
    """The run-untrusted-binary of this interpreter, as its console script runs it."""
    return [
        sys.executable,
        "-P",
        "-c",
        "import sys; from sandbox.cli.run import main; sys.exit(main())",
        *words,
    ]


def scratch_in(base: Path) -> str:
    """Code that has a run's scratch directory made in `base`, where a test can see what is left of it."""
    return f"from sandbox.launch import scratch; scratch.bases = lambda uid: ({str(base)!r},)"


@pytest.fixture(scope="session")
def guest() -> Callable[[str], str]:
    """The path of a built guest, such as "musl/spawn"."""

    def find(name: str) -> str:
        path = GUESTS / name
        assert path.exists(), f"guest {name} is not built: run `make guests`"
        return str(path)

    return find


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, guest: Callable[[str], str]) -> Run:
    """Run a guest (a name such as "musl/spawn", or a path) under a policy by the command line."""

    def ran(
        name: str,
        *arguments: str,
        policy: str = "ostoo",
        options: tuple[str, ...] = (),
        stdin: str = "",
        env: dict[str, str] | None = None,
    ) -> Ran:
        log, outcome = tmp_path / "audit.jsonl", tmp_path / "outcome.json"
        program = name if name.startswith("/") else guest(name)
        words = command("-p", policy, "--audit", str(log), "--outcome", str(outcome), *options)
        done = subprocess.run(
            [*words, "--", program, *arguments],
            input=stdin, capture_output=True, text=True, timeout=HANG, check=False,
            env=os.environ | (env or {}),
        )  # fmt: skip
        records = [json.loads(line) for line in log.read_text().splitlines()]
        return Ran(done.returncode, done.stdout, done.stderr, json.loads(outcome.read_text()), records)

    return ran


THREADS = """
schema = 1
name = "threads"
extends = "default"
[[rule]]
id = "tasks"
call = ["clone", "fork", "vfork"]
verdict = "allow"
[process]
threads = true
"""


@pytest.fixture
def threads_policy(tmp_path: Path) -> str:
    """A policy that lets a program make threads and fork."""
    path = tmp_path / "threads.toml"
    path.write_text(THREADS)
    return str(path)
