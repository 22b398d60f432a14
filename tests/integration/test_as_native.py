"""What the supervisor does or looks at for a guest: as the kernel would for the guest, with no more rights.

The oracle is the same program, run by the same user without the sandbox."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import GUESTS
from tests.integration.races import TRIES

NOBODY = 65534
IS_ROOT = os.geteuid() == 0
AS_GUEST: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if IS_ROOT else {}
IN_OPEN = 0x20


def prepare(directory: Path) -> Path:
    """What guests/file-errnos.c names, the guest's own but for `foreign`, `open` and `private`, where root
    can make them so."""
    directory.mkdir()
    for name, mode in (("own", 0o700), ("text", 0o755), ("foreign", 0o644), ("open", 0o666)):
        (directory / name).write_text("#!/none\n")
        (directory / name).chmod(mode)
    (directory / "dir").mkdir()
    (directory / "private").mkdir()
    (directory / "private" / "file").write_text("secret\n")
    (directory / "private").chmod(0o700 if IS_ROOT else 0)
    os.mkfifo(directory / "fifo")
    (directory / "fifo").chmod(0o777)
    for name, target in {
        "link": "own", "dangling": "gone", "loop": "loop", "me": "/proc/self", "chain": "c0",
    }.items():  # fmt: skip
        (directory / name).symlink_to(target)
    for nth in range(45):
        (directory / f"c{nth}").symlink_to(f"c{nth + 1}")
    if IS_ROOT:
        for path in (directory, *directory.iterdir()):
            if path.name not in ("foreign", "open", "private"):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return directory


@pytest.fixture
def program(tmp_path: Path) -> str:
    """The guest where any user may run it."""
    return shutil.copy(str(GUESTS / "musl" / "file-errnos"), str(tmp_path))


def test_modes_times_owners_and_programs(program: str, tmp_path: Path, run: Any) -> None:
    native = subprocess.run(
        [program], cwd=prepare(tmp_path / "native"), capture_output=True, text=True, check=True, **AS_GUEST
    )
    ran = run(program, policy="workspace", options=("--cwd", str(prepare(tmp_path / "inside"))))
    assert ran.err == ""
    assert len(native.stdout.splitlines()) > 700
    assert ran.out.splitlines() == native.stdout.splitlines()
    refused = [one for one in ran.events("call") if one["verdict"] == "refuse"]
    assert sum(one.get("repeats", 1) for one in refused) == ran.outcome["usage"]["calls_refused"]


# ---- what the supervisor opens ----


class Opened:
    """Counts the opens of a file by anybody (inotify(7)); one with O_PATH is none."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert libc.inotify_add_watch(self._fd, os.fsencode(path), IN_OPEN) >= 0

    def count(self) -> int:
        try:
            events = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return 0
        return len(events) // struct.calcsize("iIII")

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Iterator[Any]:
    watches: list[Opened] = []

    def watch(path: Path) -> Opened:
        watches.append(Opened(path))
        return watches[-1]

    yield watch
    for one in watches:
        one.close()


def test_the_watch_sees_an_open(tmp_path: Path, opened: Any) -> None:
    (tmp_path / "file").write_text("x")
    watch = opened(tmp_path / "file")
    os.close(os.open(tmp_path / "file", os.O_PATH))
    assert watch.count() == 0
    (tmp_path / "file").read_text()
    assert watch.count() == 1


EXECS = """
import os, sys
for path in sys.argv[1:]:
    try:
        os.execv(path, [path])
    except OSError as error:
        print(error.errno)
"""


@pytest.mark.skipif(
    not IS_ROOT, reason="the guest has other rights than the supervisor only where root starts"
)
@pytest.mark.parametrize("policy", ["default", "workspace", "observe"])
def test_execve_opens_what_the_guest_may_not(
    policy: str, tmp_path: Path, python: str, run: Any, opened: Any
) -> None:
    """A file of root's behind a closed directory, one that cannot be read or executed, a FIFO, a device."""
    work = tmp_path / "work"
    (work / "closed").mkdir(parents=True)
    paths = [work / name for name in ("closed/file", "unreadable", "plain", "fifo")]
    for path in paths[:3]:
        path.write_text("#!/none\n")
    os.mkfifo(paths[3])
    for path, mode in zip(paths, (0o755, 0o600, 0o644, 0o777), strict=True):
        path.chmod(mode)
    (work / "closed").chmod(0o700)
    watches = [opened(path) for path in paths]
    native = subprocess.run(
        [python, "-c", EXECS, *map(str, paths), "/proc/kmsg"], capture_output=True, text=True, check=True,
        **AS_GUEST,
    )  # fmt: skip
    assert [watch.count() for watch in watches] == [0, 0, 0, 0]
    options = () if policy == "observe" else ("--exec", str(work))  # which confines nothing
    ran = run(python, "-c", EXECS, *map(str, paths), "/proc/kmsg", policy=policy, options=options)
    assert (ran.err, ran.out) == ("", native.stdout)
    assert [watch.count() for watch in watches] == [0, 0, 0, 0]


@pytest.mark.race
def test_a_fifo_exchanged_for_a_program_is_not_opened(tmp_path: Path, run: Any, opened: Any) -> None:
    """A look by name and an open by name would be of two files: the open of a FIFO is seen from outside."""
    work = tmp_path / "work"
    work.mkdir()
    os.mkfifo(work / "fifo")
    (work / "text").write_text("#!/none\n")
    for name in ("fifo", "text"):
        (work / name).chmod(0o777)
    work.chmod(0o777)
    watch = opened(work / "fifo")
    ran = run("musl/exec-exchange", str(10 * TRIES), policy="workspace", options=("--cwd", str(work)))
    assert (ran.status, ran.err) == (0, "")
    assert watch.count() == 0


# ---- refusals and their records ----

REWRITTEN = """
schema = 1
name = "rewritten"
extends = "default"
[[rule]]
id = "read-only"
call = "open"
rewrite = { flags = "O_RDONLY|O_CLOEXEC" }
"""


def refusals(ran: Any) -> int:
    """How many refused calls have a record."""
    return sum(
        record.get("repeats", 1) for record in ran.events("call") if record["verdict"] == "refuse"
    )  # fmt: skip


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file that everybody may change, beside the working directory of a run."""
    for name in ("work", "outside"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    (tmp_path / "outside" / "file").write_text("x")
    (tmp_path / "outside" / "file").chmod(0o666)
    return tmp_path / "outside" / "file"


@pytest.mark.parametrize("protection", ["write", "exec", "split"])
def test_a_path_in_memory_that_only_the_kernel_reads(
    protection: str, outside: Path, tmp_path: Path, run: Any
) -> None:
    options = ("--cwd", str(tmp_path / "work"))
    ran = run("musl/hidden-path", protection, str(outside), policy="default", options=options)
    assert (ran.status, ran.err) == (0, "")
    named = [(one["call"], one["rule"], one["path"]) for one in ran.events("call")]
    assert named == [
        ("open", "files.read", str(outside)), ("unlink", "files.write", str(outside)),
        ("rename", "files.write", str(outside)),
    ]  # fmt: skip
    assert ran.outcome["usage"]["calls_refused"] == refusals(ran) == 3


@pytest.mark.race
def test_a_racing_path_cannot_avoid_a_record(run: Any, tmp_path: Path) -> None:
    """Another task exchanges a path that [files] allows and one that it does not, in the same memory."""
    (tmp_path / "work").mkdir()
    options = ("--cwd", str(tmp_path / "work"))
    ran = run("musl/racing-path", str(100 * TRIES), policy="workspace", options=options)
    assert (ran.status, ran.err) == (0, "")
    refused = int(ran.out.split()[0])
    assert refused > 0
    assert ran.outcome["usage"]["calls_refused"] == refusals(ran) == refused


def test_a_rewritten_call_that_is_refused_has_its_record(outside: Path, tmp_path: Path, run: Any) -> None:
    """As under ostoo, which opens for reading only."""
    (tmp_path / "rewritten.toml").write_text(REWRITTEN)
    ran = run(
        "musl/hidden-path", "write", str(outside), policy=str(tmp_path / "rewritten.toml"),
        options=("--cwd", str(tmp_path / "work")),
    )  # fmt: skip
    first, second = ran.calls("open")
    assert (first["verdict"], first["rule"]) == ("rewrite", "read-only")
    assert (second["rule"], second["path"]) == ("files.read", str(outside))
    assert ran.outcome["usage"]["calls_refused"] == refusals(ran) == 3


DEEP = """
import os
for _ in range(30):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
open("x", "w").write("text")
for change in (os.chmod, lambda path, mode: os.execv(path, [path])):
    try:
        change("x", 0o755)
        print("done")
    except OSError as error:
        print(error.errno)
"""


def test_a_file_too_deep_for_a_name(tmp_path: Path, python: str, run: Any) -> None:
    """The kernel finds it from the working directory, and nobody can say where it lies: it is not changed."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work").chmod(0o777)
    ran = run(python, "-c", DEEP, policy="workspace", options=("--cwd", str(tmp_path / "work")))
    assert (ran.err, ran.out) == ("", f"{errno.ENAMETOOLONG}\n{errno.EACCES}\n")


def test_an_execve_looks_at_nothing_that_landlock_closes(
    tmp_path: Path, python: str, run: Any, opened: Any
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "foreign").write_bytes(b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x02\0\x03\0" + bytes(64))
    (tmp_path / "foreign").chmod(0o755)
    watch = opened(tmp_path / "foreign")
    place = str(tmp_path / "foreign")
    closed = run(python, "-c", EXECS, place, policy="default", options=("--cwd", str(tmp_path / "work")))
    assert (closed.out, watch.count()) == (f"{errno.EACCES}\n", 0)
    options = ("--cwd", str(tmp_path / "work"), "--exec", place)
    assert run(python, "-c", EXECS, place, policy="default", options=options).out == f"{errno.ENOEXEC}\n"
    assert watch.count() == 1


def test_a_refusal_by_the_files_own_mode_has_a_record_without_a_guess(
    tmp_path: Path, python: str, run: Any
) -> None:
    (tmp_path / "closed").write_text("x")
    (tmp_path / "closed").chmod(0)
    ran = run(
        python,
        "-c",
        f"open({str(tmp_path / 'closed')!r})",
        policy="default",
        options=("--read", str(tmp_path)),
    )
    [record] = [one for one in ran.events("call") if one["verdict"] == "refuse"]
    assert (record["rule"], record["errno"]) == ("files.other", "EACCES")
    assert record["args"]["path"] == str(tmp_path / "closed")
    assert not record.keys() & {"path", "allow"}
    assert "allow it" not in ran.err
