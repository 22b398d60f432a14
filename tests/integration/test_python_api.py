"""`sandbox.run` inside a host program with children, threads, handlers and descriptors of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import sandbox
from sandbox.errors import AuditError, PolicyError, UsageError

HOST = sys.executable
# One that any user may run: a guest of root's is nobody.
SHARED = ("/usr/bin/python3", "/usr/local/bin/python3")
PYTHON = next((path for path in SHARED if os.path.exists(path)), HOST)


def test_it_feels_like_subprocess_run() -> None:
    done = sandbox.run(["/bin/cat"], input=b"through\n", capture_output=True)
    assert (done.status, done.exit_code, done.stdout, done.stderr) == ("ok", 0, b"through\n", b"")
    assert done.usage.processes == 1


def test_exit_status_and_error_output() -> None:
    code = "import sys; sys.stderr.write('oops'); sys.exit(3)"
    done = sandbox.run([PYTHON, "-I", "-S", "-c", code], capture_output=True)
    assert (done.status, done.exit_code, done.stderr) == ("exited", 3, b"oops")


def test_death_by_signal() -> None:
    code = "import os; os.kill(os.getpid(), 9)"
    done = sandbox.run([PYTHON, "-I", "-S", "-c", code])
    assert (done.status, done.signal, done.exit_code) == ("signaled", "SIGKILL", None)


def test_timeout_is_a_limit() -> None:
    done = sandbox.run(["/bin/sleep", "1000"], timeout=0.2)
    assert (done.status, done.rule, done.signal) == ("limit", "limits.wall", "SIGKILL")


def test_spawn_under_ostoo(guest: Callable[[str], str], tmp_path: Path) -> None:
    log = tmp_path / "a.jsonl"
    done = sandbox.run([guest("musl/spawn")], policy="ostoo", audit=log, capture_output=True)
    assert done.status == "ok"
    assert done.stdout == b"hello from the spawned child\nchild exited with status 7\n"
    events = [type(record).__name__ for record in sandbox.audit.read(str(log))]
    assert events[0] == "Start"
    assert events[-1] == "End"


@pytest.mark.parametrize("name", ["/no/such/program", "no-such-program-anywhere"])
def test_missing_program_is_an_outcome(name: str) -> None:
    done = sandbox.run([name])
    assert done.status == "setup-error"
    assert name in done.reason


def test_environment_is_the_policys_and_the_callers() -> None:
    code = "import os; print(sorted(os.environ))"
    os.environ["SECRET_OF_THE_HOST"] = "1"
    try:
        done = sandbox.run([PYTHON, "-I", "-S", "-c", code], env={"GIVEN": "x"}, capture_output=True)
    finally:
        del os.environ["SECRET_OF_THE_HOST"]
    assert done.stdout is not None
    assert b"GIVEN" in done.stdout
    assert b"SECRET" not in done.stdout


def test_cwd(tmp_path: Path) -> None:
    done = sandbox.run(
        [PYTHON, "-I", "-S", "-c", "import os; print(os.getcwd())"], cwd=tmp_path, capture_output=True
    )
    assert done.stdout == f"{tmp_path.resolve()}\n".encode()


def test_wrong_use() -> None:
    with pytest.raises(PolicyError):
        sandbox.run(["/bin/true"], policy="no-such-policy")
    for arguments in ([], "/bin/true", ["a\0b"]):
        with pytest.raises(UsageError):
            sandbox.run(arguments)
    with pytest.raises(UsageError):
        sandbox.run(["/bin/true"], timeout=-1)
    with pytest.raises(UsageError):
        sandbox.run(["/bin/true"], capture_output=True, stdout=subprocess.DEVNULL)


def state() -> tuple[object, ...]:
    handlers = tuple(signal.getsignal(one) for one in signal.valid_signals())
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    umask = os.umask(0o22)
    os.umask(umask)
    return handlers, mask, umask, os.sched_getaffinity(0), sorted(os.listdir("/proc/self/fd"))


def test_the_host_keeps_its_children_and_state() -> None:
    """A host that reaps everybody on SIGCHLD, has a child of its own and other threads."""
    reaped: list[tuple[int, int]] = []

    def reap(*_: object) -> None:
        try:
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                reaped.append(found)
        except ChildProcessError:
            pass

    release, hold = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(hold)
        os.read(release, 1)
        os._exit(44)
    os.close(release)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    old = signal.signal(signal.SIGCHLD, reap)
    try:
        before = state()
        done = sandbox.run([PYTHON, "-I", "-S", "-c", "import sys; sys.exit(9)"], capture_output=True)
        assert state() == before
        assert done.exit_code == 9
        assert not [pid for pid, _ in reaped if pid == child]
    finally:
        signal.signal(signal.SIGCHLD, old)
        stop.set()
        thread.join()
        os.close(hold)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 44


def test_runs_from_many_threads_at_once() -> None:
    codes: dict[int, int | None] = {}

    def one(number: int) -> None:
        codes[number] = sandbox.run([PYTHON, "-I", "-S", "-c", f"import sys; sys.exit({number})"]).exit_code

    threads = [threading.Thread(target=one, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == {number: number for number in range(1, 7)}


def test_wrong_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "new.jsonl"
    with pytest.raises(UsageError, match="the guest may write there"):
        sandbox.run(["/bin/true"], policy="workspace", cwd=tmp_path, audit=log)
    assert not log.exists()
    with pytest.raises(AuditError, match="cannot open the audit log"):
        sandbox.run(["/bin/true"], audit=tmp_path / "no" / "such")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UsageError, match="the working directory is there no more"):
        sandbox.run(["/bin/true"])


CLOSED = """
import os, sandbox, sys
kept = os.dup(1)
for fd in {fds}: os.close(fd)
code = "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:3])"
done = sandbox.run(["{python}", "-I", "-S", "-c", code]{more})
os.write(kept, b"%s %s" % (done.status.encode(), done.stdout or b""))
"""


@pytest.mark.parametrize(
    ("fds", "more", "says"),
    [
        ("(0,)", ", capture_output=True", b"ok [0, 1, 2]\n"),
        ("(1, 2)", ", capture_output=True", b"ok [0, 1, 2]\n"),
        ("(0, 1, 2)", ", capture_output=True", b"ok [0, 1, 2]\n"),
        ("(0, 2)", ", stdout=kept", b"[0, 1]\nok "),
    ],
)
def test_a_host_without_standard_descriptors(fds: str, more: str, says: bytes) -> None:
    code = CLOSED.format(fds=fds, more=more, python=PYTHON)
    done = subprocess.run([HOST, "-P", "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout == says


@pytest.mark.parametrize("sighup", ["SIG_DFL", "SIG_IGN"])
def test_no_guest_outlives_its_host(sighup: str) -> None:
    """The host is killed in the middle of a run: the supervisor hears of it and ends the guest."""
    code = (
        f"import sandbox, signal; signal.signal(signal.SIGHUP, signal.{sighup});"
        f"sandbox.run(['{PYTHON}', '-I', '-S', '-c', "
        "'import os,signal; os.write(1, b\"%d\\\\n\" % os.getpid()); signal.pause()'])"
    )
    host = subprocess.Popen([HOST, "-P", "-c", code], stdout=subprocess.PIPE)
    assert host.stdout is not None
    pid = int(host.stdout.readline())
    pidfd = os.pidfd_open(pid)
    host.kill()
    host.wait()
    with os.fdopen(pidfd) as watched:
        import select

        assert select.select([watched], [], [], 60)[0]
    host.stdout.close()
