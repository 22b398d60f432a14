"""Signals to the supervisor: the main guest first, then everything; nothing outlives a dead supervisor."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.audit.verifier import verify

HANG = 60
# One that any user may run: a guest of root's is nobody.
SHARED = ("/usr/bin/python3", "/usr/local/bin/python3")
PYTHON = next((path for path in SHARED if os.path.exists(path)), sys.executable)

HANDLES = """
import os, signal
signal.signal(signal.{name}, lambda *_: (os.write(1, b"handled\\n"), os._exit(5)))
os.write(1, b"ready\\n")
while True: signal.pause()
"""
DEAF = """
import signal
for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT): signal.signal(one, signal.SIG_IGN)
print("ready", flush=True)
while True: signal.pause()
"""

BUSY = """
import os
print("ready", flush=True)
while True:
    try: os.open("/x", os.O_WRONLY)
    except OSError: pass
"""


def as_from_a_shell() -> None:
    """Control signals as an interactive shell leaves them, whatever started the tests: a background job
    ignores SIGINT, and an ignored signal stays ignored."""
    controls = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    for one in controls:
        signal.signal(one, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, controls)


def start(code: str, *options: str) -> subprocess.Popen[str]:
    words = [
        sys.executable,
        "-P",
        "-c",
        "import sys; from sandbox.cli.run import main; sys.exit(main())",
        *options,
    ]
    # A session of its own: the test's terminal, if it has one, must not matter.
    process = subprocess.Popen(
        [*words, "--", PYTHON, "-I", "-S", "-c", code],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=as_from_a_shell,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_main_guest_is_told_first(name: str) -> None:
    process = start(HANDLES.format(name=name))
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=HANG)
    assert (process.returncode, out) == (5, "handled\n")
    assert err == ""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_default_action_ends_the_run(name: str) -> None:
    process = start(
        "import signal\nsignal.signal(2, signal.SIG_DFL)\nprint('ready', flush=True)\nsignal.pause()"
    )
    process.send_signal(getattr(signal, name))
    process.communicate(timeout=HANG)
    assert process.returncode == 128 + getattr(signal, name)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_deaf_guest_is_killed_after_its_grace(name: str, tmp_path: Path) -> None:
    outcome = tmp_path / "outcome.json"
    process = start(DEAF, "--outcome", str(outcome))
    process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=HANG)
    assert process.returncode == 128 + signal.SIGKILL
    reason = f"killed by SIGKILL 2 s after {name}"
    assert json.loads(outcome.read_text())["reason"] == reason
    assert err == f"run-untrusted-binary: {reason}\n"


def test_a_second_interrupt_kills_at_once(tmp_path: Path) -> None:
    outcome = tmp_path / "outcome.json"
    process = start(DEAF, "--outcome", str(outcome))
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=HANG)
    assert process.returncode == 128 + signal.SIGKILL
    told = json.loads(outcome.read_text())
    assert (told["status"], told["signal"]) == ("signaled", "SIGKILL")
    assert told["reason"].startswith("killed by SIGKILL at a second signal, SIG")


def test_a_spinning_guest_does_not_hide_a_signal() -> None:
    """A guest that stops all the time keeps the supervisor busy; the signal is seen all the same."""
    process = start(BUSY)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=HANG)
    assert process.returncode == 128 + signal.SIGTERM


def gone(pidfd: int) -> bool:
    return bool(select.select([pidfd], [], [], HANG)[0])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGUSR1], ids=lambda one: one.name)
def test_no_guest_survives_a_killed_supervisor(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "audit.jsonl"
    process = start(DEAF, "--audit", str(log))
    guest = json.loads(log.read_text().splitlines()[0])["pid"]
    pidfd = os.pidfd_open(guest)
    process.send_signal(number)
    process.communicate(timeout=HANG)
    assert gone(pidfd)
    os.close(pidfd)
    report = verify(str(log))
    assert report.state == "truncated"


def test_full_disk_ends_closed() -> None:
    words = [sys.executable, "-P", "-c", "import sys; from sandbox.cli.run import main; sys.exit(main())"]
    done = subprocess.run(
        [*words, "--audit", "/dev/full", "--", "/bin/echo", "never"],
        capture_output=True, text=True, timeout=HANG, check=False,
    )  # fmt: skip
    assert done.returncode == 125
    assert done.stdout == ""
    assert done.stderr.startswith("run-untrusted-binary: the audit log cannot be written")
    assert done.stderr.count("\n") == 1


def test_audit_pipe_that_closes_ends_closed(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    process = start(DEAF.replace("while True: signal.pause()", "signal.pause()"), "--audit", str(fifo))
    os.set_blocking(reader, True)
    line = os.read(reader, 1 << 16).splitlines()[0]
    pidfd = os.pidfd_open(json.loads(line)["pid"])
    os.close(reader)
    process.send_signal(signal.SIGTERM)  # its delivery is the next record
    _, err = process.communicate(timeout=HANG)
    assert gone(pidfd)
    os.close(pidfd)
    assert process.returncode == 125
    assert "audit log cannot be written" in err
