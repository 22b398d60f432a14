"""Every limit ends its run with its own reason, leaves nothing running, and keeps a log that is complete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sandbox
from sandbox.audit.verifier import verify
from sandbox.policy.load import loads

Run = Callable[..., Any]
MIB = 1 << 20

BEGIN = """
import os, resource, signal, subprocess
path = os.environ["TMPDIR"] + "/file"
def write():
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    for _ in range(100):
        os.write(fd, b"x" * 4096)
def caught(*_):
    print("handled")
"""


def ended_by(ran: Any, which: str, value: float, tmp_path: Path) -> bool:
    """The outcome, the exit status and the log all say that this limit ended the run, and no other."""
    outcome = ran.outcome
    told = (ran.status, outcome["status"], outcome["rule"])
    limits = [(record["which"], record["value"]) for record in ran.events("limit")]
    complete = verify(str(tmp_path / "audit.jsonl")).state
    return (told, limits, complete) == ((124, "limit", f"limits.{which}"), [(which, value)], "complete")


def nothing_left(program: str) -> bool:
    found = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return not any(program.encode() in _command(entry) for entry in found)


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("policy", ["default", "workspace"])
@pytest.mark.parametrize(
    ("arguments", "limit", "which", "value"),
    [
        (("bomb",), ("--processes", "40"), "processes", 40),
        (("hoard",), ("--memory", "32MiB"), "memory", 32 * MIB),
        (("flood",), ("--output", "1MiB"), "output", MIB),
        (("spender", "left", "0"), ("--cpu", "0.2"), "cpu", 0.2),
        (("spender", "orphans", "0"), ("--timeout", "0.3"), "wall", 0.3),
        (("deaf",), ("--timeout", "0.3"), "wall", 0.3),
        (("deaf",), ("--cpu", "0.2"), "cpu", 0.2),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else str(one),
)
def test_what_never_ends_by_itself(
    arguments: tuple[str, ...],
    limit: tuple[str, str],
    which: str,
    value: float,
    policy: str,
    run: Run,
    guest: Callable[[str], str],
    tmp_path: Path,
) -> None:
    program = tmp_path / f"{arguments[0]}-alone"
    program.write_bytes(Path(guest(f"musl/{arguments[0]}")).read_bytes())
    program.chmod(0o755)
    options = ("--cwd", "/usr", "--exec", str(program), *limit)
    ran = run(str(program), *arguments[1:], policy=policy, options=options)
    assert ended_by(ran, which, value, tmp_path), ran
    assert nothing_left(str(program))


def test_all_output_up_to_the_limit_arrives(run: Run) -> None:
    ran = run("musl/flood", policy="default", options=("--output", "1000000"))
    assert len(ran.out) == 1_000_000


@pytest.mark.parametrize("most", [8, 40])
def test_no_more_tasks_than_the_limit_are_ever_made(most: int, run: Run, guest: Callable[[str], str]) -> None:
    options = ("--cwd", "/usr", "--exec", guest("musl/bomb"), "--processes", str(most))
    for _ in range(5):
        ran = run("musl/bomb", policy="workspace", options=options)
        assert ran.outcome["rule"] == "limits.processes"
        assert ran.outcome["usage"]["processes"] <= most


# ---- file-size ----


# Sent while it is blocked, as musl raises: it comes at the end of the call that unblocks it.
DELAYED = """
signal.signal(signal.SIGXFSZ, {})
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGXFSZ])
os.kill(os.getpid(), signal.SIGXFSZ)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGXFSZ])
"""

# clone(2) with SIGXFSZ in place of SIGCHLD: the kernel sends it when the child ends.
EXIT_SIGNAL = """
import ctypes
libc = ctypes.CDLL(None)
child = libc.syscall(56, signal.SIGXFSZ, 0, 0, 0, 0)
if child == 0:
    libc._exit(0)
assert child > 0 and libc.waitpid(child, None, 0x40000000) == child  # __WALL
"""


def script(run: Run, text: str, python: str, *options: str) -> Any:
    options = ("--cwd", "/usr", *options)
    return run(python, "-c", BEGIN + text, policy="workspace", options=options)


@pytest.mark.parametrize(
    "text",
    [
        "write()",  # Python ignores SIGXFSZ
        "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); write()",
        "signal.signal(signal.SIGXFSZ, caught); write()",
        "open(path, 'w').close(); os.truncate(path, 1 << 30)",
        "os.fork() or write(); os.wait()",
    ],
    ids=["ignored", "deadly", "handled", "truncate", "child"],
)
def test_a_file_past_its_size_ends_the_run(text: str, run: Run, python: str, tmp_path: Path) -> None:
    ran = script(run, text, python, "--file-size", "100000")
    assert ended_by(ran, "file-size", 100_000, tmp_path), ran
    assert ran.err == "run-untrusted-binary: file size limit of 100000 bytes\n"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("os.write(os.open(path, os.O_WRONLY | os.O_CREAT), bytes(100000))", "ok"),
        ("signal.signal(signal.SIGXFSZ, caught); signal.raise_signal(signal.SIGXFSZ)", "ok"),
        ("signal.signal(signal.SIGXFSZ, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGXFSZ)", "signaled"),
        (DELAYED.format("signal.SIG_IGN"), "ok"),
        (DELAYED.format("signal.SIG_DFL"), "signaled"),
        (EXIT_SIGNAL, "ok"),
        ("resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); write()", "exited"),
        ("signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGXFSZ]); write()", "exited"),
    ],
    ids=["up-to-it", "raised", "killed", "delayed", "delayed-deadly", "exit-signal", "own-limit", "blocked"],
)
def test_a_file_size_that_is_no_limit_of_the_run(text: str, status: str, run: Run, python: str) -> None:
    ran = script(run, text, python, "--file-size", "100000")
    assert (ran.outcome["status"], ran.outcome["rule"]) == (status, None), ran
    assert not ran.events("limit")


@pytest.mark.parametrize("way", ["signal", "raise"])
@pytest.mark.parametrize("libc", ["musl", "glibc"])
def test_a_raised_sigxfsz_is_a_death_by_signal(
    way: str, libc: str, run: Run, guest: Callable[[str], str]
) -> None:
    program = guest(f"{libc}/exit-codes")
    options = ("--cwd", "/usr", "--exec", program, "--file-size", "100000")
    ran = run(program, way, "25", policy="workspace", options=options)
    assert (ran.status, ran.outcome["status"], ran.outcome["signal"]) == (153, "signaled", "SIGXFSZ"), ran
    assert not ran.events("limit")


@pytest.mark.parametrize(
    "mode", [0x01, 0x20, 0x11], ids=["keep-size", "insert-range", "zero-range-keep-size"]
)
def test_fallocate_gets_round_no_file_size(mode: int, run: Run, python: str) -> None:
    text = f"""
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open(path, os.O_RDWR | os.O_CREAT)
os.write(fd, bytes(65536))
took = os.fstat(fd).st_blocks
assert libc.fallocate(fd, {mode}, ctypes.c_long(0), ctypes.c_long(1 << 20)) == -1
assert ctypes.get_errno() == errno.EOPNOTSUPP
assert (os.fstat(fd).st_size, os.fstat(fd).st_blocks) == (65536, took)
"""
    ran = script(run, text, python, "--file-size", "100000")
    assert ran.outcome["status"] == "ok", ran
    assert [record["rule"] for record in ran.calls("fallocate")] == ["fallocate-mode"]


def test_one_open_file_too_many_is_the_programs_own_matter(run: Run, python: str) -> None:
    text = "fds = []\nfor _ in range(50):\n    fds.append(os.open('/dev/null', 0))"
    ran = script(run, text, python, "--open-files", "30")
    assert ran.outcome["status"] == "exited"
    assert "Too many open files" in ran.err


# ---- audit-size ----

KILLS = "for i in range(100000):\n    try: os.kill(1, i % 30)\n    except OSError: pass"


@pytest.mark.parametrize("size", [20_000, 500_000])
def test_a_log_past_its_size_ends_the_run(size: int, run: Run, python: str, tmp_path: Path) -> None:
    ran = script(run, KILLS, python, "--audit-size", str(size))
    assert ended_by(ran, "audit-size", size, tmp_path), ran
    written = (tmp_path / "audit.jsonl").stat().st_size
    assert size < written < size + 4000


def test_a_log_within_its_size(run: Run, python: str, tmp_path: Path) -> None:
    ran = script(run, "print(1)", python, "--audit-size", "500000")
    assert (ran.status, ran.out) == (0, "1\n")


def test_without_a_log_its_size_is_no_limit(python: str) -> None:
    policy = loads('schema = 1\nname = "p"\nextends = "workspace"\n[limits]\naudit-size = 1\n')
    done = sandbox.run([python, "-c", "import os; os.access('/', 0)"], policy=policy, cwd="/usr")
    assert done.status == "ok"


def test_a_larger_log_needs_a_waiver(run: Run, python: str) -> None:
    ran = script(run, "print(1)", python, "--audit-size", "2GiB", "--waive", "audit-size=a test")
    assert (ran.out, ran.outcome["waivers"]) == ("1\n", ["audit-size"])


# ---- what one record can take ----


def test_long_strings_are_shown_by_their_beginning_and_length(run: Run, python: str) -> None:
    text = "os.access('/nowhere/' + 'x/' * 1000, 0)"
    ran = script(run, text, python, "--audit-level", "all")
    names = [str(value) for call in ran.events("call") for value in call["args"].values()]
    assert [one for one in names if "nowhere" in one] == ["/nowhere/" + "x/" * 507 + "x… (2009 bytes)"]


def test_long_arguments_are_cut(run: Run, python: str) -> None:
    text = "subprocess.run(['/bin/true'] + ['z' * 3000] * 60)"
    ran = script(run, text, python)
    [record] = ran.events("exec")
    assert record["argv"][1] == "z" * 1024 + "… (3000 bytes)"
    assert record["argv"][-1] == "…"
    assert sum(map(len, record["argv"])) < 35_000


def test_equal_refusals_of_a_path_are_counted(run: Run, python: str) -> None:
    text = "for _ in range(100):\n    try: os.open('/root/x', 0)\n    except OSError: pass"
    ran = script(run, text, python)
    found = [record for record in ran.calls("openat") if record.get("path") == "/root/x"]
    assert [record.get("repeats") for record in found] == [None] * 8 + [92]


def test_numbers_without_a_name_are_counted_within_bounds(run: Run, python: str) -> None:
    text = "import ctypes\nlibc = ctypes.CDLL(None)\nfor nr in range(1000, 4000): libc.syscall(nr)"
    ran = script(run, text, python)
    calls = ran.events("end")[0]["calls"]
    assert len(calls) == 1001
    assert sum(by["refuse"] for name, by in calls.items() if name.startswith("syscall_")) == 3000
