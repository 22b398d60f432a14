"""For all tests: signals as an interactive shell leaves them, whatever started them; nothing is left behind.

A job in the background ignores SIGINT and SIGQUIT, what is ignored stays so across execve, and guests are
given what their caller ignores.

Each process of pytest marks what it starts, by its environment. After a test that runs tools, whatever it has
left fails it; when pytest itself is killed, watcher.py ends the rest.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)
for _one in (signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(_one, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP})

_HERE = Path(__file__).resolve().parent
_spec = importlib.util.spec_from_file_location("_watcher", _HERE / "watcher.py")
assert _spec is not None
assert _spec.loader is not None
watcher = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(watcher)

MARK = "SANDBOX_TEST_PROCESS"
GRACE = 10  # seconds that what was told to end may take; nothing is measured by it
RUN_TOOLS = {"integration", "launch"}
"""Directories of tests that start tools."""
GUESTS = str(_HERE.parent / "guests" / "build") + "/"

_entry = f"{MARK}={secrets.token_hex(8)}"
_held_open: subprocess.Popen[bytes]
_place: list[str] = []


def pytest_configure() -> None:
    """Mark what is started from here on, and have it watched."""
    global _held_open
    if "PYTEST_XDIST_WORKER" not in os.environ:
        # A place of this session's own: pytest's usual one is closed to guests by every other session.
        place = tempfile.mkdtemp(prefix="pytest-")
        os.chmod(place, 0o711)
        os.environ["PYTEST_DEBUG_TEMPROOT"] = place
        _place.append(place)
    words = [sys.executable, "-I", "-S", str(_HERE / "watcher.py"), _entry, sys.executable]
    clean = {name: value for name, value in os.environ.items() if name != MARK}
    _held_open = subprocess.Popen(words, stdin=subprocess.PIPE, env=clean)
    _held_open.wait()
    os.environ[MARK] = _entry.partition("=")[2]


def pytest_unconfigure() -> None:
    """At the end, too, with the workers: they have ended, or are ended."""
    assert _held_open.stdin is not None
    _held_open.stdin.close()
    for place in _place:
        shutil.rmtree(place, ignore_errors=True)


def left_behind() -> dict[int, str]:
    """What this process of pytest started, and guests that nobody traces; by pid, as /proc names it."""
    pids = {*watcher.marked(_entry.encode()), *_untraced_guests()}
    return {pid: name for pid in pids if (name := _name(pid))}


def _untraced_guests() -> Iterator[int]:
    """Guests that have outlived their supervisor. A guest that a test runs by itself has a mark."""
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.readlink(f"/proc/{name}/exe").startswith(GUESTS):
                status = Path(f"/proc/{name}/status").read_text()
                environment = Path(f"/proc/{name}/environ").read_bytes()
                if "\nTracerPid:\t0\n" in status and MARK.encode() not in environment:
                    yield int(name)
        except OSError:
            continue


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def _started(pid: int) -> float:
    """When, in seconds since boot rounded up to the kernel's ticks (proc(5)); 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[19]) + 1) / os.sysconf("SC_CLK_TCK")


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a process, and ends that process."""
    if RUN_TOOLS.isdisjoint(request.node.path.parts):
        yield
        return
    since = time.clock_gettime(time.CLOCK_BOOTTIME)
    yield
    deadline = time.monotonic() + GRACE
    # What a fixture of a wider scope has started is older.
    while left := {pid: name for pid, name in left_behind().items() if _started(pid) >= since}:
        if time.monotonic() > deadline:
            watcher.kill(list(left))
            pytest.fail(f"the test has left processes: {left}")
        time.sleep(0.01)
