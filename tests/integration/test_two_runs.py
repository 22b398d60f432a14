"""Two runs side by side: what one does changes neither what the other may reach, nor what its supervisor
does."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.errors import SetupError
from sandbox.launch import scratch
from tests.integration.conftest import scratch_in
from tests.integration.races import TRIES

HANG = 120
MAIN = "from sandbox.cli.run import main; sys.exit(main())"
SWAPPER = Path(__file__).with_name("swapper.py").read_text()
HOME = f"ostoo-sandbox-{os.geteuid()}"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory that root's guests always reach; pytest closes its own when a session starts."""
    path = Path(tempfile.mkdtemp(prefix="test-two-runs-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A directory like /var/tmp, for one test alone."""
    place = tmp_path / "base"
    place.mkdir()
    place.chmod(0o1777)
    return place


def started(base: Path, *words: str, code: str = "") -> list[str]:
    """The command, with its scratch directories in `base` and nowhere else."""
    return [sys.executable, "-P", "-c", f"import sys; {scratch_in(base)}; {code}\n{MAIN}", *words]


def run(base: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TMPDIR": str(base)}  # where scratch directories once were made
    return subprocess.run(
        started(base, *words), capture_output=True, text=True, timeout=HANG, check=False, env=environment
    )


@contextlib.contextmanager
def beside(words: list[str], stop: signal.Signals = signal.SIGTERM) -> Iterator[subprocess.Popen[str]]:
    """A process that has said its first line, `line`; it is ended afterwards."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(stop)
            process.wait(HANG)


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


# ---- a hostile neighbour ----


def hostile(kind: str, base: Path, target: Path, python: str) -> list[str]:
    """As a guest that may write in `base` (its own run was talked out of its check), as a process of whoever
    runs the tests, or as the user that root's guests become."""
    script = [python, "-I", "-S", "-c", SWAPPER, str(base), str(target)]
    if kind == "guest":
        elsewhere = base.parent / "elsewhere"
        elsewhere.mkdir()
        elsewhere.chmod(0o1777)
        words = ("-p", "workspace", "--cwd", str(base), "--", *script)
        return started(elsewhere, *words, code="scratch.check_apart = lambda *places: None")
    become = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]
    return [*become, *script] if kind == "nobody" else script


@pytest.mark.race
@pytest.mark.parametrize(
    "kind",
    [
        "guest",
        "native",
        pytest.param("nobody", marks=needs_root),
    ],
)
def test_links_in_place_of_scratch_directories(kind: str, base: Path, tmp_path: Path, python: str) -> None:
    """The link's target is neither written by the guest nor emptied by its supervisor."""
    target = tmp_path / "target"
    target.mkdir()
    target.chmod(0o777)
    (target / "canary").write_text("unchanged")
    before = target.stat()
    run(base, "--", "/bin/true")
    with beside(hostile(kind, base, target, python)) as neighbour:
        assert first_line(neighbour) == "ready"
        for _ in range(TRIES):
            script = "echo planted >$TMPDIR/planted; :"
            done = run(base, "-p", "workspace", "--cwd", "/usr", "--", "/bin/sh", "-c", script)
            assert done.returncode == 0 or "cannot make a scratch directory" in done.stderr
            assert [one.name for one in target.iterdir()] == ["canary"]
        assert neighbour.poll() is None
    assert (target / "canary").read_text() == "unchanged"
    assert stat.S_IMODE(target.stat().st_mode) == 0o777
    assert (target.stat().st_uid, target.stat().st_mtime_ns) == (before.st_uid, before.st_mtime_ns)
    if kind == "native":  # it did come between: or nothing was tried
        assert any(one.is_symlink() for one in base.rglob("*"))


@pytest.mark.race
def test_links_at_any_moment_from_making_to_removal(
    base: Path, tmp_path: Path, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same without a guest, so that the exchanges fall between any two calls of the supervisor."""
    target = tmp_path / "target"
    target.mkdir()
    (target / "canary").write_text("unchanged")
    monkeypatch.setattr(scratch, "bases", lambda uid: (str(base),))
    monkeypatch.setattr(scratch, "_SWEEP_S", 0.01)
    scratch.make(None).remove()
    exchanged = 0
    with beside(hostile("native", base, target, python)) as neighbour:
        assert first_line(neighbour) == "ready"
        for _ in range(10 * TRIES):
            try:
                made = scratch.make((65534, 65534) if os.geteuid() == 0 else None)
            except SetupError:
                continue
            with contextlib.suppress(FileNotFoundError):  # the neighbour has removed it
                os.close(os.open("planted", os.O_CREAT | os.O_WRONLY, dir_fd=made.fd))
            exchanged += not made.remove()
            assert [one.name for one in target.iterdir()] == ["canary"]
    assert exchanged
    assert (target / "canary").read_text() == "unchanged"
    assert (target.stat().st_uid, stat.S_IMODE(target.stat().st_mode)) == (os.geteuid(), 0o755)


# ---- no guest writes where scratch directories are ----


def refused(base: Path, place: Path, *words: str) -> None:
    done, dry = (run(base, *option, *words, "--", "/bin/true") for option in ((), ("--dry-run",)))
    assert (done.returncode, dry.returncode) == (125, 125)
    assert done.stderr == dry.stderr
    assert done.stderr.startswith(f"run-untrusted-binary: {place}: the guest may not write there")
    assert f"{base}/ostoo-sandbox-" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_place_that_holds_them_is_refused(base: Path) -> None:
    refused(base, base, "--write", str(base))
    refused(base, base.parent, "--write", str(base.parent))
    refused(base, base, "-p", "workspace", "--cwd", str(base))
    refused(base, Path("/"), "--write", "/")
    assert run(base, "-p", "workspace", "--cwd", "/", "--", "/bin/true").returncode == 0
    assert run(base, "--cwd", str(base), "--", "/bin/true").returncode == 0


def test_a_link_to_one_is_refused_as_what_it_leads_to(base: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(base)
    refused(base, base, "--write", str(tmp_path / "link"))


def test_one_of_another_run_is_refused(base: Path) -> None:
    script = "echo $TMPDIR; sleep 1h"
    with beside_run(base, script) as process:
        place = Path(first_line(process))
        assert place.parents[1] == base / HOME
        for one in (place, place.parent, place.parents[1]):
            refused(base, one, "--write", str(one))
        (base / "ostoo-sandbox-4711").mkdir()
        refused(base, base / "ostoo-sandbox-4711", "--write", str(base / "ostoo-sandbox-4711"))


def test_a_directory_beside_them_may_be_written(base: Path) -> None:
    work = base / "work"
    work.mkdir()
    work.chmod(0o777)
    done = run(base, "-p", "workspace", "--cwd", str(work), "--", "/bin/sh", "-c", "echo x >made")
    assert (done.returncode, done.stderr) == (0, "")
    assert (work / "made").exists()


# ---- what a killed supervisor leaves ----


@contextlib.contextmanager
def beside_run(base: Path, script: str) -> Iterator[subprocess.Popen[str]]:
    words = started(base, "-p", "workspace", "--cwd", "/usr", "--", "/bin/sh", "-c", script)
    with beside(words, signal.SIGKILL) as process:
        yield process


def cases(base: Path) -> list[str]:
    return sorted(one.name for one in (base / HOME).iterdir())


def test_the_next_run_clears_what_a_killed_one_left(base: Path) -> None:
    script = "cd $TMPDIR; mkdir -p a/b; echo x >a/b/file; chmod 0 a/b a; echo $TMPDIR; sleep 1h"
    with beside_run(base, script) as process:
        killed = Path(first_line(process)).parent
    with beside_run(base, script) as living:
        held = Path(first_line(living)).parent
        assert cases(base) == sorted([killed.name, held.name])
        assert run(base, "--", "/bin/true").returncode == 0
        assert cases(base) == [held.name]
    assert run(base, "--", "/bin/true").returncode == 0
    assert cases(base) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look at what an undumpable supervisor has open")
def test_guests_and_helpers_do_not_have_the_lock(base: Path) -> None:
    """Only the supervisor: with it the lock is gone, whatever still runs."""
    words = started(
        base, "-p", "workspace", "--cwd", "/usr", "--output", "1MiB", "--memory", "1GiB",
        "--", "/bin/sh", "-c", "sleep 1h & ls -l /proc/$!/fd /proc/self/fd; echo $TMPDIR; wait",
    )  # fmt: skip
    lines: list[str] = []
    with beside(words, signal.SIGKILL) as process:
        assert process.stdout is not None
        while not lines or not lines[-1].startswith(str(base)):
            lines.append(process.stdout.readline())
            assert lines[-1]
        holders = [pid for pid in filter(str.isdigit, os.listdir("/proc")) if holds(pid, lines[-1].strip())]
        assert holders == [str(process.pid)]
    assert str(base) not in "".join(lines[:-1])


def holds(pid: str, scratch: str) -> bool:
    """Whether a process has a run's directory, or the guest's in it, open."""
    try:
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return False
    return bool({scratch, os.path.dirname(scratch)} & set(links))


def test_a_guest_that_locks_directories_two_levels_down(base: Path) -> None:
    """The supervisor is the same user, and has no more rights than the modes give."""
    script = "cd $TMPDIR; mkdir -p a/b/c; echo x >a/b/c/file; chmod 0 a/b/c a/b a; stat -c %a a"
    done = run(base, "-p", "workspace", "--cwd", "/usr", "--", "/bin/sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
    assert cases(base) == []


# ---- a squatted name ----


@needs_root
def test_a_home_that_is_anothers_is_not_used(base: Path) -> None:
    (base / HOME).mkdir()
    os.chown(base / HOME, 4711, 4711)
    done, dry = (run(base, *option, "--", "/bin/true") for option in ((), ("--dry-run",)))
    told = f"cannot make a scratch directory: {base / HOME}: it is another user's"
    assert (done.returncode, done.stderr) == (125, f"run-untrusted-binary: {told}\n")
    assert (dry.returncode, dry.stderr) == (done.returncode, done.stderr)


def test_a_home_that_is_a_link_is_not_used(base: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir(0o700)
    (base / HOME).symlink_to(tmp_path / "target")
    done = run(base, "--", "/bin/true")
    told = f"cannot make a scratch directory: {base / HOME}: Not a directory"
    assert (done.returncode, done.stderr) == (125, f"run-untrusted-binary: {told}\n")
    assert not list((tmp_path / "target").iterdir())
