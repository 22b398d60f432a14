"""What the supervisor has to notice, end or leave alone while guests run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import command
from tests.integration.test_guards_launch import HANG, fill
from tests.integration.test_terminal import Terminal

Run = Callable[..., Any]
MIB = 1 << 20


# ---- limits ----


@pytest.mark.parametrize("streams", [(1,), (2,), (1, 2)], ids=str)
def test_output_of_just_the_limit_is_none(streams: tuple[int, ...], python: str, run: Run) -> None:
    each = 120_000 // len(streams)
    code = f"import os\nfor fd in {streams}: os.write(fd, b'x' * {each})"
    ran = run(python, "-I", "-S", "-c", code, policy="observe", options=("--output", "120000"))
    assert (ran.status, ran.outcome["status"], len(ran.out + ran.err)) == (0, "ok", 120_000)


@pytest.mark.parametrize("streams", [(1,), (2,), (1, 2)], ids=str)
def test_one_byte_more_is_the_limit(streams: tuple[int, ...], python: str, run: Run) -> None:
    each = 120_000 // len(streams)
    code = f"import os, signal\nfor fd in {streams}: os.write(fd, b'x' * {each})\nos.write(1, b'x')"
    ran = run(python, "-I", "-S", "-c", code, policy="observe", options=("--output", "120000"))
    assert (ran.status, ran.outcome["rule"]) == (124, "limits.output")
    assert ran.out.count("x") + ran.err.partition("run-untrusted-binary")[0].count("x") == 120_000


IGNORES_SIGPIPE = """
import os, signal
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
signal.signal(signal.SIGALRM, lambda *_: os._exit(9))
signal.alarm(5)
while True:
    try: os.write(1, b"x" * 4096)
    except BrokenPipeError: signal.pause()
"""


def test_the_output_limit_ends_a_guest_that_ignores_sigpipe(python: str, run: Run) -> None:
    ran = run(python, "-I", "-S", "-c", IGNORES_SIGPIPE, policy="observe", options=("--output", "10000"))
    assert (ran.status, ran.outcome["rule"]) == (124, "limits.output")
    assert ran.outcome["signal"] == "SIGKILL"


HOLDS_ITS_PARENT = """
import os, sys, _thread
held = b"x" * (60 << 20)
def spawn():
    waits = (os.POSIX_SPAWN_OPEN, 5, sys.argv[1], os.O_RDONLY, 0)
    os.posix_spawn("/bin/true", ["true"], {}, file_actions=[waits])
if sys.argv[2] == "thread": _thread.start_new_thread(spawn, ())
else: spawn()
import signal
signal.pause()
"""


@pytest.mark.parametrize(("who", "policy"), [("process", "default"), ("thread", "workspace")])
def test_memory_of_a_held_parent_counts_once(
    who: str, policy: str, tmp_path: Path, python: str, run: Run
) -> None:
    """Its child, which shares it, waits in an open until the wall-clock limit."""
    os.mkfifo(tmp_path / "fifo")
    options = ("--cwd", "/usr", "--memory", "100MiB", "--timeout", "2", "--read", str(tmp_path / "fifo"))
    arguments = ("-I", "-S", "-c", HOLDS_ITS_PARENT, str(tmp_path / "fifo"), who)
    ran = run(python, *arguments, policy=policy, options=options)
    assert ran.outcome["rule"] == "limits.wall"


# ---- signals ----


COUNTED = """
import os, signal
got = []
signal.signal(signal.SIGINT, lambda *_: got.append(1))
def stops():
    try: os.open("/none", os.O_RDONLY)
    except OSError: pass
os.write(1, b"ready ")
while not got: stops()
for _ in range(200): stops()
"""


def test_an_interrupt_is_delivered_once(tmp_path: Path, python: str) -> None:
    """As the log counts. The guest keeps its supervisor busy, so that it may have got its own before the
    supervisor has taken the one to itself; and lives on until that must have happened."""
    log = tmp_path / "audit.jsonl"
    terminal = Terminal(
        command("-p", "observe", "--audit", str(log), "--", python, "-I", "-S", "-c", COUNTED)
    )
    terminal.expect(b"ready ")
    terminal.send(b"\x03")
    assert terminal.status() == 0
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [one["signal"] for one in records if one["event"] == "signal"] == ["SIGINT"]


HANGS_UP = """
import os, signal
signal.signal(signal.SIGHUP, lambda *_: (os.write(1, b"SIGHUP"), os._exit(0)))
os.write(1, b"ready ")
while True: signal.pause()
"""
HOST = """
import sys, sandbox
sandbox.run(sys.argv[1:], policy="observe")
"""


@pytest.mark.parametrize("ignored", [False, True], ids=["default", "ignored"])
def test_the_hosts_death_is_a_hang_up_to_the_guest(ignored: bool, python: str) -> None:
    def as_nohup() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    source, end = os.pipe()
    words = [sys.executable, "-P", "-c", HOST, python, "-I", "-S", "-c", HANGS_UP]
    host = subprocess.Popen(words, stdout=end, preexec_fn=as_nohup if ignored else None)
    os.close(end)
    assert os.read(source, 100) == b"ready "
    host.kill()
    host.wait(HANG)
    with open(source, "rb") as rest:
        assert rest.read() == b"SIGHUP"


def stalled(tmp_path: Path, python: str, *options: str) -> tuple[subprocess.Popen[str], int]:
    """A run that waits for the reader of its log, who reads nothing; and that end of the FIFO."""
    os.mkfifo(tmp_path / "log")
    fifo = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    words = command("-p", "observe", "--audit", str(tmp_path / "log"), *options)
    process = subprocess.Popen(
        [*words, "--", python, "-c", "print('ran')", "x" * 10_000], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    fill(fifo, take=0)
    return process, fifo


NOT_READ = "run-untrusted-binary: the audit log cannot be written: its reader does not read\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_a_stalled_log_is_given_up_at_a_control_signal(number: int, tmp_path: Path, python: str) -> None:
    process, fifo = stalled(tmp_path, python)
    process.send_signal(number)
    out, err = process.communicate(timeout=HANG)
    os.close(fifo)
    assert (process.returncode, out, err) == (125, "", NOT_READ)


def test_a_stalled_log_is_given_up_at_the_wall_limit(tmp_path: Path, python: str) -> None:
    process, fifo = stalled(tmp_path, python, "--timeout", "0.5")
    out, err = process.communicate(timeout=HANG)
    os.close(fifo)
    assert (process.returncode, out, err) == (125, "", NOT_READ)


BYSTANDER = "import os; os.write(1, b'there'); os.read(0, 1)"
SIGNALS_A_GROUP = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"guest "))
if sys.argv[1:]: os.setpgid(0, int(sys.argv[1]))
os.kill(0, signal.SIGTERM)
os.kill(-os.getpgrp(), signal.SIGTERM)
"""


@pytest.mark.parametrize("how", ["is started in it", "joins it"])
def test_a_guest_in_a_group_of_others_reaches_itself_there(how: str, python: str) -> None:
    bystander = subprocess.Popen(
        [sys.executable, "-c", BYSTANDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    )
    assert bystander.stdout is not None
    assert bystander.stdout.read(5) == b"there"
    joins = how == "joins it"
    # The same user, who may signal the bystander.
    user = ("--user", "root", "--waive", "root=a test") if os.geteuid() == 0 else ()
    group = (str(bystander.pid),) if joins else ()
    done = subprocess.run(
        command("-p", "observe", *user, "--", python, "-I", "-S", "-c", SIGNALS_A_GROUP, *group),
        capture_output=True, text=True, timeout=HANG, check=False,
        process_group=0 if joins else bystander.pid,
    )  # fmt: skip
    bystander.communicate(b"x", timeout=HANG)
    assert (done.returncode, done.stdout, done.stderr) == (0, "guest guest ", "")
    assert bystander.returncode == 0


# ---- records ----


DIES_IN_A_CALL = """
import os, signal
def sleeps(pid):
    with open(f"/proc/{pid}/syscall") as file: return file.read().startswith("0 ")
ends = os.pipe()
child = os.fork()
if child == 0: os.read(ends[0], 7777)
while not sleeps(child): pass
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
print(child)
"""


def test_a_watched_call_of_a_killed_task_is_recorded(python: str, run: Run) -> None:
    ran = run(python, "-I", "-S", "-c", DIES_IN_A_CALL, policy="observe")
    assert ran.status == 0, ran.err
    [last] = [one for one in ran.calls("read") if one["args"]["count"] in (7777, "7777")]
    assert (last["pid"], "ret" in last) == (int(ran.out), False)


def test_an_execve_by_a_thread_is_recorded(threads_policy: str, run: Run) -> None:
    ran = run("musl/exec-thread", policy=threads_policy)
    assert ran.status == 0, ran.err
    made = [one["argv"][0] for one in ran.events("exec")]
    assert len(made) == len(ran.calls("execve")) == 1
    assert made[0].endswith("exec-thread")


def test_threads_are_no_processes(threads_policy: str, run: Run) -> None:
    ran = run("musl/threads-many", "20", policy=threads_policy)
    assert ran.status == 0, ran.err
    assert (ran.outcome["usage"]["processes"], len(ran.events("child"))) == (1, 20)
