"""The door to the kernel, in a process of its own: what comes first where several things wait to be told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT
from tests.integration.test_guards_launch import HANG

# A guest whose every call stops; its next stop is there when `stopped` returns.
BEGIN = """
import os, signal, struct, sys, time
from sandbox._kernel import calls

TRACE_ALL = struct.pack("<HBBI", 6, 0, 0, 0x7FF00000)
def launch():
    return calls.launch(calls.Spec(path=b"/bin/true", argv=(b"true",), envp=(), filter=TRACE_ALL)).pid
def stopped(pid):
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    return pid
def next_stop():
    pid = launch()
    calls.resume(pid)
    return stopped(pid)
KINDS = {calls.NONE: "none", calls.STATUS: "status", calls.SIGNAL: "signal", calls.DEADLINE: "deadline"}
def soon():
    return time.monotonic_ns() + 20_000_000
def told(deadline_ns=None):
    raw = calls.wait(time.monotonic_ns() + 10**10 if deadline_ns is None else deadline_ns)
    return KINDS[raw.kind]
"""


def said(code: str, *arguments: str) -> list[str]:
    """What this code prints after BEGIN, word by word. Guests it leaves die with it (EXITKILL)."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", BEGIN + code, *arguments], capture_output=True, text=True, timeout=HANG,
        check=False, start_new_session=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_a_deadline_comes_before_stops_that_wait() -> None:
    code = """
calls.prepare()
next_stop()
print(told(time.monotonic_ns() - 1), told())
"""
    assert said(code) == ["deadline", "status"]


def test_a_deadline_comes_before_stops_also_right_after_a_look() -> None:
    code = """
calls.prepare()
first, second = next_stop(), next_stop()
print(told(), told(time.monotonic_ns() - 1), told())
"""
    assert said(code) == ["status", "deadline", "status"]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_control_signal_comes_before_stops_that_wait(name: str) -> None:
    code = f"""
calls.prepare()
next_stop()
os.kill(os.getpid(), signal.{name})
print(calls.control_pending(), told(), told(), calls.control_pending())
"""
    assert said(code) == ["True", "signal", "status", "False"]


def test_a_control_signal_ends_a_wait_for_stops() -> None:
    code = """
calls.prepare()
os.kill(os.getpid(), signal.SIGTERM)
launch()
print(told(), told(soon()))
"""
    assert said(code) == ["signal", "deadline"]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
@pytest.mark.parametrize(
    "how", ["signal.signal(one, signal.SIG_IGN)", "signal.pthread_sigmask(signal.SIG_BLOCK, [one])"]
)
def test_what_the_caller_ignores_or_blocks_is_no_control_signal(name: str, how: str) -> None:
    code = f"""
one = signal.{name}
{how}
calls.prepare()
launch()
os.kill(os.getpid(), one)
print(calls.control_pending(), told(soon()))
"""
    assert said(code) == ["False", "deadline"]


def test_a_line_to_a_terminal_that_a_guest_has_taken_does_not_stop_us() -> None:
    code = """
calls.prepare()
print(signal.SIGTTOU in signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""
    assert said(code) == ["True"]


def test_ends_are_seen_where_the_caller_ignores_them() -> None:
    """With SIGCHLD ignored the kernel would reap by itself (wait(2), NOTES)."""
    code = """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
calls.prepare()
[ignored] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("SigIgn")]
print(int(ignored, 16) >> signal.SIGCHLD - 1 & 1)
pid = launch()
calls.kill(pid, 9)
found = []
while (raw := calls.wait()).kind == calls.STATUS:
    found.append(raw.status)
    if raw.status & 0x7F == 0x7F: calls.resume(pid)
print(found[-1])
"""
    assert said(code) == ["0", "9"]


def test_a_second_preparation_changes_nothing() -> None:
    """A worker of `sandbox.run` prepares itself before it knows what to run."""
    code = """
calls.prepare(hang_up=True)
calls.prepare()
launch()
print(told(soon()))
for one in (signal.SIGTERM, signal.SIGIO):
    os.kill(os.getpid(), one)
    raw = calls.wait(soon())
    print(KINDS[raw.kind], raw.signo)
"""
    assert said(code) == ["deadline", "signal", "15", "signal", "1"]


SERVED = """
calls.prepare()
guests = [next_stop(), next_stop()]
served = []
for _ in range(6):
    raw = calls.wait()
    served.append(raw.pid)
    calls.resume(raw.pid)
    stopped(raw.pid)
print(set(served) == set(guests))
"""


def test_an_older_guest_is_served_while_a_younger_stops_all_the_time() -> None:
    assert said(SERVED) == ["True"]


def test_a_child_of_the_callers_that_is_stopped_is_no_guest() -> None:
    code = """
child = os.fork()
if child == 0:
    while os.getppid() != 1: signal.sigtimedwait([signal.SIGUSR1], 0.1)
    os._exit(0)
os.kill(child, signal.SIGSTOP)
stopped(child)
"""
    assert said(code + SERVED + "os.kill(child, 9)\n") == ["True"]


IDENTITY = """
calls.prepare()
pid = launch()
for line in open(f"/proc/{pid}/status"):
    if line.startswith(("SigBlk", "SigIgn", "SigCgt")): print(line.split()[1])
"""


def test_signals_of_a_guest_are_as_the_caller_left_them() -> None:
    """But for SIGPIPE and SIGXFSZ, which Python ignores by itself; posix_spawn(3) of the C library, by which
    make starts us, ignores the two signals that are its own (32, 33)."""
    code = """
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGUSR2, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])
"""
    blocked, ignored, caught = (int(mask, 16) for mask in said(code + IDENTITY))
    assert (blocked, ignored & ~(3 << 31), caught) == (1 << 27, 1 << 9 | 1 << 16, 0)


DETACHED = """
import ctypes, sys
ctypes.CDLL(sys.argv[1])
calls.detach(os.path.realpath(sys.executable), ())
maps = open("/proc/self/maps").read()
print(sys.argv[1] in maps, "/libc.so" in maps)
"""


def test_code_that_others_than_root_can_write_becomes_memory_of_our_own(tmp_path: Path) -> None:
    """Whatever this run's guest may write: another run's may write more, by another name of the same file."""
    [core] = (ROOT / "sandbox" / "_kernel").glob("_core.*so")
    library = shutil.copy(core, tmp_path / "library.so")
    assert said(DETACHED, str(library)) == ["False", "True"]
