"""A deadline ends a run, whoever holds what: output, a log or a last line that nobody reads, descriptors.

That it ends is what is tested, and of what; not how long it takes.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.cli.outputs import Outputs
from sandbox.errors import AuditError
from sandbox.outcome import Outcome
from sandbox.runner import Result
from sandbox.syscalls.table import NUMBERS
from tests.integration.conftest import HANG, INSTALL, command

SHARED = ("/usr/bin/python3", "/usr/local/bin/python3")
PYTHON = next((path for path in SHARED if os.path.exists(path)), sys.executable)
ENOSYS = 38

WRITES = "import os\nwhile True: os.write(1, bytes(4096))"
# One process writes to whom nobody reads, and another one uses up the limit.
BUSY = "import os\nif os.fork():\n    while True: {held}\nwhile True: pass"
HOARD = (
    "import os\nif os.fork():\n    while True: {held}\nheld = bytearray(1 << 28)\nwhile True: os.getppid()"
)
LIMITS = {
    "wall": (("--timeout", "2"), "import os\nwhile True: {held}"),
    "cpu": (("--cpu", "0.5"), BUSY),
    "memory": (("--memory", "100MiB"), HOARD),
}


@pytest.fixture
def stuck() -> Iterator[int]:
    """The writing end of a pipe that is full and that nobody reads."""
    reader, writer = os.pipe()
    fill(writer)
    yield writer
    os.close(reader)
    os.close(writer)


def fill(fd: int) -> None:
    os.set_blocking(fd, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(fd, bytes(4096))
    os.set_blocking(fd, True)


def words(code: str, *options: str) -> list[str]:
    return command("-p", "workspace", *options, "--", PYTHON, "-I", "-S", "-c", code)


def status(words: list[str], **streams: Any) -> int:
    """Output is kept from us: a test must not be the reader it says there is not."""
    others = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    return subprocess.run(words, timeout=HANG, check=False, cwd="/", **(others | streams)).returncode


# ---- output that nobody reads ----


@pytest.mark.parametrize("which", LIMITS)
@pytest.mark.parametrize("limited", [True, False], ids=["counted", "plain"])
def test_output_that_nobody_reads(which: str, limited: bool, stuck: int) -> None:
    options, code = LIMITS[which]
    output = ("--output", "1MiB") if limited else ()
    program = code.format(held="os.write(1, bytes(4096))")
    assert status(words(program, *options, *output), stdout=stuck) == 124


def test_more_output_than_the_limit_that_nobody_reads(stuck: int) -> None:
    assert status(words(WRITES, "--output", "1000"), stdout=stuck) == 124


def test_the_wall_limit_holds_for_output_that_is_left(stuck: int, tmp_path: Path) -> None:
    """The program has ended; what it wrote is on its way to whom does not read."""
    told = tmp_path / "outcome"
    options = ("--output", "1MiB", "--timeout", "2", "--outcome", str(told))
    assert status(words("print('x' * 1000)", *options), stdout=stuck) == 124
    outcome = json.loads(told.read_text())
    assert (outcome["rule"], outcome["exit_code"]) == ("limits.wall", 0)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_what_only_waits_for_a_reader(name: str, stuck: int) -> None:
    code = "import os; print('x' * 1000, flush=True); os.write(2, b'written\\n')"
    process = started(words(code, "--output", "1MiB"), stdout=stuck)
    assert process.stderr is not None
    assert process.stderr.readline() == b"written\n"
    assert comes_down_to(1, process.pid)  # what counts output; the guest was waited for
    process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=HANG)
    assert process.returncode == 128 + signal.SIGKILL
    reason = f"exit status 0, but its output was not read, and was given up at {name}"
    assert err.decode() == f"run-untrusted-binary: {reason}\n"


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def comes_down_to(count: int, pid: int) -> bool:
    deadline = time.monotonic() + HANG
    while time.monotonic() < deadline:
        if len(children(pid)) == count:
            return True
        time.sleep(0.02)
    return False


def started(words: list[str], **streams: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", start_new_session=True, **streams
    )


DEAF = """
import os, signal
for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(one, signal.SIG_IGN)
os.write(2, b"ready\\n")
while True: os.write(1, bytes(4096))
"""


@pytest.mark.parametrize("count", [1, 2])
def test_signals_end_a_deaf_guest_whose_output_nobody_reads(count: int, stuck: int) -> None:
    # Standard error is counted, too, by a pipe of its own, and is read.
    process = started(words(DEAF, "--output", "1MiB"), stdout=stuck)
    assert process.stderr is not None
    assert process.stderr.readline() == b"ready\n"
    for name in ("SIGTERM", "SIGHUP")[:count]:
        process.send_signal(getattr(signal, name))
    process.communicate(timeout=HANG)
    assert process.returncode == 128 + signal.SIGKILL


def test_who_reads_late_gets_everything() -> None:
    """As `run-untrusted-binary … | less`: the program is long gone when the last of it is read."""
    reader, writer = os.pipe()
    code = "import os\nfor _ in range(30): os.write(1, bytes(4000))\nos.write(2, b'written\\n')"
    process = started(words(code, "--output", "1MiB"), stdout=writer)
    os.close(writer)
    assert process.stderr is not None
    assert process.stderr.readline() == b"written\n"
    read = 0
    while chunk := os.read(reader, 1000):
        read += len(chunk)
    os.close(reader)
    assert (process.wait(HANG), read) == (0, 120_000)
    process.stderr.close()


def test_a_counter_that_is_killed_ends_the_run() -> None:
    code = "import os, time; os.write(2, b'ready\\n'); time.sleep(1000)"
    process = started(words(code, "--output", "1MiB"), stdout=subprocess.PIPE)
    assert process.stderr is not None
    assert process.stderr.readline() == b"ready\n"
    os.kill(children(process.pid)[0], signal.SIGKILL)  # it is made before the guest
    _, err = process.communicate(timeout=HANG)
    assert process.returncode == 125
    assert b"the process that counts output could not begin, or was killed" in err


# ---- what the tool itself writes ----


@pytest.mark.parametrize("which", LIMITS)
def test_an_error_line_that_nobody_reads(which: str, stuck: int) -> None:
    options, code = LIMITS[which]
    assert status(words(code.format(held="os.getppid()"), *options), stderr=stuck) == 124


def test_a_line_after_a_good_end_has_the_time_of_the_run(stuck: int) -> None:
    assert status(words("", "-v", "--timeout", "2"), stderr=stuck) == 0


def test_a_signal_ends_the_wait_for_a_reader_of_the_last_line(stuck: int, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    code = f"open({str(gate)!r}, 'w').close()"
    options = ("-v", "--write", str(tmp_path))
    tmp_path.chmod(0o777)
    gate.chmod(0o666)
    process = subprocess.Popen(words(code, *options), stderr=stuck, start_new_session=True)
    gate.read_bytes()
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGHUP)
    assert process.wait(HANG) in (0, 128 + signal.SIGTERM, 128 + signal.SIGKILL)


LOGGED = "\n        try: os.kill(1, os.urandom(1)[0] % 60)\n        except OSError: pass"


@pytest.mark.parametrize("which", LIMITS)
def test_a_log_that_nobody_reads(which: str, tmp_path: Path) -> None:
    """What cannot be recorded does not happen: the run ends as one whose log cannot be written."""
    log = tmp_path / "log"
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    options, code = LIMITS[which]
    told = tmp_path / "outcome"
    program = code.format(held=LOGGED)
    ended = status(words(program, *options, "--audit", str(log), "--outcome", str(told)))
    os.close(reader)
    assert ended == 125
    assert "its reader does not read" in json.loads(told.read_text())["reason"]


def test_an_outcome_that_nobody_reads(stuck: int) -> None:
    outputs = Outputs(None, f"/proc/self/fd/{stuck}")
    outputs.begin()
    with pytest.raises(AuditError, match="its reader does not read"):
        outputs.tell(Result(Outcome("ok", ""), 0, patience_ns=0))


def test_the_process_that_counts_output_ends_with_its_supervisor(stuck: int) -> None:
    """Nobody reads, and nobody is left to end it; `nothing_is_left` sees that it has ended."""
    program = words("import os\nwhile True: os.write(1, bytes(4096))", "--output", "1GiB")
    with subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=stuck, stderr=subprocess.DEVNULL) as run:
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
        while len(children.read_text().split()) < 2:
            assert run.poll() is None
        run.kill()


# ---- descriptors ----


OPENS = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
for _ in range(3, 1100): os.set_inheritable(os.open("/dev/null", os.O_RDONLY), True)
if sys.argv[1] == "lowered":
    for fd in range(40, 60): os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
os.execv(sys.argv[2], sys.argv[2:])
"""
WITHOUT_CLOSE_RANGE = (
    f"""
import sys
insns = [(0x20, 0, 0, 0), (0x15, 0, 1, {NUMBERS["close_range"]}), (6, 0, 0, {0x50000 | ENOSYS})]
"""
    + INSTALL
)
LISTS = "import os; os.write(1, ' '.join(os.listdir('/proc/self/fd')).encode())"


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4096, reason="no 4,096 descriptors may be had here"
)
@pytest.mark.parametrize("kernel", ["new", "old"])
@pytest.mark.parametrize("limit", ["high", "lowered"])
def test_many_descriptors(limit: str, kernel: str) -> None:
    outer = [sys.executable, "-I", "-S", "-c", OPENS, limit]
    if kernel == "old":
        outer += [sys.executable, "-I", "-S", "-c", WITHOUT_CLOSE_RANGE, "x"]
    run = words(LISTS, "--output", "1MiB", "--timeout", "60")
    done = subprocess.run([*outer, *run], capture_output=True, text=True, timeout=HANG, check=False, cwd="/")
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 1 2 3", "")  # 3: the list's own


def test_attacks_with_many_descriptors() -> None:
    code = "import sys; from sandbox.cli.ctl import main; sys.exit(main(sys.argv[1:]))"
    outer = [sys.executable, "-I", "-S", "-c", OPENS, "high", sys.executable, "-P", "-c", code]
    assert status([*outer, "attack", "-p", "default", "int80"]) == 0


@pytest.mark.parametrize("which", LIMITS)
def test_many_descriptors_under_limits(which: str, stuck: int) -> None:
    options, code = LIMITS[which]
    outer = [sys.executable, "-I", "-S", "-c", OPENS, "high"]
    run = words(code.format(held="os.write(1, bytes(4096))"), *options, "--output", "1MiB")
    assert status([*outer, *run], stdout=stuck) == 124
