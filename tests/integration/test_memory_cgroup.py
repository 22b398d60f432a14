"""The memory limit as the kernel keeps it, for real, where cgroup v2 with memory is delegated to the tests:
as root with memory in the root's cgroup.subtree_control, in a leaf of a delegated cgroup that has it there,
or alone in a scope of systemd's with Delegate=yes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.launch.cgroup import FULL, LEAF, Kernel, find, open_account
from sandbox.launch.locks import PREFIX

HANG = 120
MIB = 1 << 20
SHARED = ("/usr/bin/python3", "/usr/local/bin/python3")
PYTHON = next((path for path in SHARED if os.path.exists(path)), sys.executable)
MAIN = "import sys; from sandbox.cli.run import main; sys.exit(main())"
ENTER = 'echo 0 > "$0"/cgroup.procs && exec "$@"'

POLICY = """
schema = 1
name = "hoarder"
extends = "workspace"
[calls]
allow = ["memfd_create"]
"""
HOLD = "held = b'x' * ({} << 20)\n"
MEMFD = """
import os
for part in range(8):
    fd = os.memfd_create("hoard")
    for _ in range(64): assert os.write(fd, b"x" * (1 << 20)) == 1 << 20
"""
TOGETHER = """
import os
ends = os.pipe()
for _ in range(8):
    if os.fork() == 0:
        held = b"x" * (40 << 20)
        os.write(ends[1], b"!")
        os.read(os.pipe()[0], 1)
for _ in range(8): os.read(ends[0], 1)
"""
IN_A_CHILD = """
import os
pid = os.fork()
if pid == 0: held = b"x" * (512 << 20)
os.waitpid(pid, 0)
"""


def hoarder(directory: Path) -> str:
    """`workspace`, with memory that no process needs to map."""
    path = directory.parent / "hoarder.toml"
    path.write_text(POLICY)
    return str(path)


class Ran:
    """A run in some cgroup, and all it left."""

    def __init__(self, directory: Path, code: str, *options: str, group: Path | None = None) -> None:
        log, outcome = directory.parent / "audit.jsonl", directory.parent / "outcome.json"
        words = [sys.executable, "-P", "-c", MAIN, "-p", hoarder(directory), "--audit", str(log)]
        words += ["--outcome", str(outcome), *options, "--", PYTHON, "-I", "-S", "-c", code]
        if group is not None:
            words = ["/bin/sh", "-c", ENTER, str(group), *words]
        done = subprocess.run(words, capture_output=True, text=True, timeout=HANG, check=False, cwd=directory)
        self.status, self.stderr = done.returncode, done.stderr
        self.outcome: dict[str, Any] = json.loads(outcome.read_text())
        self.records = [json.loads(line) for line in log.read_text().splitlines()]

    @property
    def memory(self) -> str:
        text: str = self.outcome["enforcement"]["memory"]
        return text

    @property
    def peak(self) -> int | None:
        value: int | None = self.outcome["usage"]["memory_peak_bytes"]
        return value


@pytest.fixture
def base() -> Path:
    """The directory that runs of ours make their cgroups in, next to our own."""
    account = open_account(1 << 30)
    enforcement = account.enforcement
    account.close()
    own = Path(find().own)
    if enforcement != FULL:
        pytest.skip("no cgroup v2 with memory is delegated here")
    kernel = Kernel()
    return own if "memory" in kernel.read(str(own), "cgroup.subtree_control").split() else own.parent


@pytest.fixture
def group(base: Path) -> Iterator[Path]:
    """A cgroup of the test's own with nothing in it. What is around it is called a slice, as what systemd
    divides, so no run may make its cgroup there."""
    outer = base / f"test-{os.getpid()}.slice"
    inner = outer / "inner"
    inner.mkdir(parents=True)
    (outer / "cgroup.subtree_control").write_text("+memory")
    yield inner
    inner.rmdir()
    outer.rmdir()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a run's program works; its log is kept from it."""
    work = tmp_path / "work"
    work.mkdir(0o755)
    return work


def left(base: Path) -> list[str]:
    return [name for name in os.listdir(base) if name.startswith(PREFIX)]


def is_limit(ran: Ran, limit: int) -> None:
    assert (ran.status, ran.outcome["status"], ran.memory) == (124, "limit", FULL)
    assert ran.outcome["rule"] == "limits.memory"
    assert ran.stderr == f"run-untrusted-binary: memory limit of {limit} bytes\n"
    [record] = [one for one in ran.records if one["event"] == "limit"]
    assert (record["which"], record["value"]) == ("memory", limit)
    assert ran.records[0]["enforcement"]["memory"] == FULL


@pytest.mark.parametrize(
    "code", [HOLD.format(512), MEMFD, TOGETHER, IN_A_CHILD], ids=["one", "memfd", "together", "child"]
)
def test_more_than_the_limit(base: Path, place: Path, code: str) -> None:
    ran = Ran(place, code, "--memory", "128MiB")
    is_limit(ran, 128 * MIB)
    if ran.peak is not None:  # Linux 5.19
        # The supervisor, which counts what processes share for each of them, may have seen it first.
        assert (0.5 if code == TOGETHER else 0.95) * 128 * MIB <= ran.peak <= 129 * MIB
    assert left(base) == []


def test_less_than_the_limit(base: Path, place: Path) -> None:
    ran = Ran(place, HOLD.format(64), "--memory", "256MiB")
    assert (ran.status, ran.memory) == (0, FULL)
    if ran.peak is not None:
        assert 64 * MIB <= ran.peak <= 128 * MIB
    assert left(base) == []


def test_a_limit_too_small_to_begin(base: Path, place: Path) -> None:
    is_limit(Ran(place, "", "--memory", "4KiB"), 4096)
    assert left(base) == []


def test_without_a_limit_there_is_no_cgroup(base: Path, place: Path) -> None:
    ran = Ran(place, "")
    assert "memory" not in ran.outcome["enforcement"]
    assert ran.peak is None


def test_a_cgroup_that_we_are_alone_in_is_divided_and_put_back(group: Path, place: Path) -> None:
    is_limit(Ran(place, MEMFD, "--memory", "128MiB", group=group), 128 * MIB)
    assert (group / "cgroup.subtree_control").read_text().split() == []
    assert [one.name for one in group.iterdir() if one.is_dir()] == []
    assert Ran(place, "", "--memory", "128MiB", group=group).memory == FULL


def test_others_are_not_moved(group: Path, place: Path) -> None:
    other = subprocess.Popen(
        ["/bin/sh", "-c", ENTER, str(group), "/bin/sh", "-c", "echo; exec cat"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert other.stdout is not None
        other.stdout.readline()
        ran = Ran(place, HOLD.format(512) + "import time; time.sleep(60)", "--memory", "128MiB", group=group)
        assert ran.memory.endswith("other processes are in this cgroup")
        assert ran.status == 124  # the supervisor looks
        assert (group / "cgroup.procs").read_text().split() == [str(other.pid)]
        assert not (group / LEAF).exists()
    finally:
        other.communicate(timeout=HANG)


def test_what_a_killed_supervisor_left_is_swept(base: Path, place: Path) -> None:
    words = [sys.executable, "-P", "-c", MAIN, "--memory", "128MiB", "--", PYTHON, "-c"]
    words.append("import sys; print(flush=True); sys.stdin.read()")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=place) as supervisor:
        assert supervisor.stdout is not None
        supervisor.stdout.readline()
        supervisor.send_signal(signal.SIGKILL)
        supervisor.stdout.read()  # the guest's end of it is closed when the guest is gone
    [name] = left(base)
    assert name.startswith(f"{PREFIX}{supervisor.pid}-")
    assert Ran(place, "", "--memory", "128MiB").memory == FULL
    assert left(base) == []


def test_guests_are_not_spared(base: Path, place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may be spared when memory runs out")
    spared = 'echo -1000 > /proc/self/oom_score_adj && exec "$@"'
    code = f"import os\nassert open('/proc/self/oom_score_adj').read() == '0\\n'\n{MEMFD}"
    outcome = place.parent / "outcome.json"
    words = [sys.executable, "-P", "-c", MAIN, "-p", hoarder(place), "--memory", "128MiB"]
    words += ["--outcome", str(outcome), "--", PYTHON, "-c", code]
    done = subprocess.run(["/bin/sh", "-c", spared, "sh", *words], check=False, timeout=HANG, cwd=place)
    assert done.returncode == 124
    assert json.loads(outcome.read_text())["rule"] == "limits.memory"
