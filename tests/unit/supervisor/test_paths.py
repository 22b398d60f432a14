"""Where paths lead, in few looks: the supervisor answers for nobody else while it looks."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox._kernel import behalf
from sandbox._kernel.behalf import GuestRights
from sandbox.rules.files import AT_FDCWD, Found
from sandbox.supervisor import paths
from sandbox.supervisor.paths import MOST_STEPS, Caller

ME = Caller(os.getpid(), os.getpid(), GuestRights(None), lambda pid: pid == os.getpid())


def find(path: bytes) -> Found | None:
    return paths.find(ME, AT_FDCWD, path)


def find_name(path: bytes) -> Found | None:
    return paths.find_name(ME, AT_FDCWD, path)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    top = Path(os.path.realpath(tmp_path))
    (top / "dir" / "inner").mkdir(parents=True)
    (top / "file").write_text("x")
    for name, target in {
        "link": "file", "dirlink": "dir", "dangling": "dir/missing", "away": f"{top}/gone/x", "loop": "loop",
        "twice": "dangling",
    }.items():  # fmt: skip
        (top / name).symlink_to(target)
    return top


def found(spelling: str, here: Path) -> Found | None:
    return find(os.fsencode(f"{here}/{spelling}"))


@pytest.mark.parametrize(
    ("spelling", "path", "place", "missing"),
    [
        ("file", "file", "file", 0),
        ("link", "file", "file", 0),
        ("dirlink/inner", "dir/inner", "dir/inner", 0),
        ("dir/./inner/../../file", "file", "file", 0),
        ("dir//inner/", "dir/inner", "dir/inner", 0),
        ("new", "new", ".", 1),
        ("dirlink/new", "dir/new", "dir", 1),
        ("dir/a/b/c/d/e/f", "dir/a/b/c/d/e/f", "dir", 6),
        ("dangling", "dir/missing", "dir", 1),
        ("twice", "dir/missing", "dir", 1),
        ("dangling/x", "dir/missing/x", "dir", 2),
        ("away", "gone/x", ".", 2),
        ("file/x", "file/x", "file", 1),
    ],
)
def test_where_a_path_leads(spelling: str, path: str, place: str, missing: int, here: Path) -> None:
    there = found(spelling, here)
    assert there is not None
    assert (there.path, there.place, there.missing) == (
        str(here / path), os.path.normpath(here / place), missing
    )  # fmt: skip
    assert there.directory == (missing == 0 and (here / path).is_dir())
    assert there.device == (here / place).stat().st_dev


@pytest.mark.parametrize("spelling", ["loop", "loop/x", "x" * 300, "x/" * 2100, "nul\0byte"])
def test_what_cannot_be_told(spelling: str, here: Path) -> None:
    assert found(spelling, here) is None


@pytest.mark.parametrize(
    ("spelling", "path", "missing"),
    [
        ("link", "link", 1),
        ("loop/", "loop", 1),
        ("dirlink/new", "dir/new", 1),
        ("gone/new", "gone/new", 2),
        ("dir/inner/..", "dir", 0),
    ],
)
def test_a_name_itself(spelling: str, path: str, missing: int, here: Path) -> None:
    there = find_name(os.fsencode(f"{here}/{spelling}"))
    assert there is not None
    assert (there.path, there.missing) == (str(here / path), missing)


def test_the_root() -> None:
    for path in (b"/", b"/..", b"/./"):
        there = find(path)
        assert there is not None
        assert (there.path, there.missing, there.directory) == ("/", 0, True)
    there = find(b"/no-such-name")
    assert there is not None
    assert (there.path, there.place, there.missing) == ("/no-such-name", "/", 1)


def test_a_fifo_does_not_block(here: Path) -> None:
    os.mkfifo(here / "fifo")
    there = found("fifo", here)
    assert there is not None
    assert there.path == str(here / "fifo")


def test_a_pipe_lies_nowhere() -> None:
    ends = os.pipe()
    assert find(b"/proc/self/fd/%d" % ends[0]) is None
    for fd in ends:
        os.close(fd)


def steps(monkeypatch: pytest.MonkeyPatch) -> list[bytes | str]:
    asked: list[bytes | str] = []
    look = os.open

    def count(path: bytes | str, flags: int, *, dir_fd: int | None = None) -> int:
        assert flags & os.O_PATH
        asked.append(path)
        return look(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", count)
    return asked


@pytest.mark.parametrize(
    ("spelling", "most"),
    [("file", 1), ("dir/a/b/c/d", 20), ("a/" * 1000, 20), ("./" * 1900 + "none", MOST_STEPS + 1),
     ("way0", MOST_STEPS + 1)],
)  # fmt: skip
def test_few_steps(spelling: str, most: int, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for nth in range(40):
        (here / f"way{nth}").symlink_to("dir/../" * 100 + f"way{nth + 1}")
    asked = steps(monkeypatch)
    found(spelling, here)
    assert len(asked) <= most


@pytest.fixture(params=[True, False], ids=["openat2", "no openat2"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With openat2, and as on a kernel or behind a filter without it."""
    if not request.param:

        def refuse(*_: object, **__: object) -> int:
            raise OSError(errno.ENOSYS, "")

        monkeypatch.setattr(behalf, "open_path", refuse)


def opened(path: bytes, caller: Caller = ME, *, follow: bool = True) -> str | int:
    """Where it leads, or an errno."""
    try:
        fd = paths.open_path(caller, AT_FDCWD, path, follow=follow)
    except OSError as error:
        return error.errno or 0
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


@pytest.mark.usefixtures("kernel")
def test_as_the_kernel_finds_it(here: Path) -> None:
    (here / "chain40").symlink_to("file")
    for nth in range(40, 0, -1):
        (here / f"chain{nth - 1}").symlink_to(f"chain{nth}")
    for spelling in (
        "file", "link", "dirlink/inner", "dir/./inner/../../file", "dir/inner/", "dir/inner/.", "new",
        "file/", "file/.", "file/..", "file/x", "link/", "dirlink/", "dirlink/.", "dangling", "dangling/",
        "loop", "twice", "x" * 256, "chain1", "chain0", "a/../file", "..", "../..",
        "dir/../../" + here.name + "/file",
    ):  # fmt: skip
        for follow in (True, False):
            path = os.fsencode(here / "x")[:-1] + spelling.encode()
            flags = os.O_PATH | (0 if follow else os.O_NOFOLLOW)
            expected: str | int
            try:
                fd = os.open(path, flags)
            except OSError as error:
                expected = error.errno or 0
            else:
                expected = os.readlink(f"/proc/self/fd/{fd}")
                os.close(fd)
            assert opened(path, follow=follow) == expected, (spelling, follow)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize(
    "spelling",
    ["/proc/self/cwd", "/proc//self/cwd", "/proc/./self/cwd", "/proc/self/../self/cwd", "{0}/me/cwd",
     "{0}/self/cwd", "/proc/thread-self/cwd", "/proc/self/task/{1}/cwd", "/proc/self/root/proc/self/cwd"],
)  # fmt: skip
def test_links_of_proc_are_the_guests(spelling: str, here: Path) -> None:
    """Of a child of ours, whose working directory is another one."""
    (here / "me").symlink_to("/proc/self")
    (here / "self").symlink_to("proc/self")
    (here / "proc").symlink_to("/proc")
    user: dict[str, Any] = {}
    if os.geteuid() == 0:  # a guest has no capabilities, whoever starts it
        user = {"user": 65534, "group": 65534, "extra_groups": []}
        for parent in (here, *list(here.parents)[:2]):
            parent.chmod(0o711)
    with subprocess.Popen(["cat"], cwd=here / "dir", stdin=subprocess.PIPE, **user) as child:
        rights = GuestRights((65534, 65534) if user else None)
        guest = Caller(child.pid, child.pid, rights, lambda pid: pid == child.pid)
        path = spelling.format(here, child.pid).encode()
        assert opened(path, guest) == str(here / "dir")
        assert opened(path + b"/inner", guest) == str(here / "dir" / "inner")
        assert opened(path, guest._replace(is_guest=lambda pid: False)) == errno.EACCES
        assert opened(b"/proc/%d/cwd" % os.getpid(), guest) == errno.EACCES
        assert opened(b"/proc/self/status", guest) == f"/proc/{child.pid}/status"
        assert opened(b"/proc/self", guest, follow=False) == "/proc/self"


@pytest.mark.usefixtures("kernel")
def test_a_relative_path_from_a_descriptor(here: Path) -> None:
    fd = os.open(here / "dir", os.O_PATH)
    for dirfd, path, expected in (
        (fd, b"inner", str(here / "dir/inner")),
        (fd, b"../file", str(here / "file")),
    ):
        got = paths.open_path(ME, dirfd, path)
        assert os.readlink(f"/proc/self/fd/{got}") == expected
        os.close(got)
    os.close(fd)
    for bad in (-1, 1 << 20):
        with pytest.raises(OSError, match=f"Errno {errno.EBADF}"):
            paths.open_path(ME, bad, b"x")


def test_no_descriptor_is_left(here: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for spelling in ("file", "new", "loop", "dangling", "a/b/c"):
        found(spelling, here)
    assert os.listdir("/proc/self/fd") == before
