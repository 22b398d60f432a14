"""Modes, times and owners, changed by the supervisor: on the file it looked at, where writing is allowed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox._kernel.behalf import GuestRights
from sandbox.outcome import Deed
from sandbox.rules.metadata import AT_FDCWD, UTIME_NOW, UTIME_OMIT
from sandbox.supervisor.metadata import Realm, perform
from sandbox.supervisor.paths import Caller
from tests.reach import open_above

ME = Caller(os.getpid(), os.getpid(), GuestRights(None), lambda pid: pid == os.getpid())


_OPENED: list[int] = []


def opened(path: Path) -> tuple[int, ...]:
    """A place of a realm."""
    _OPENED.append(os.open(path, os.O_PATH))
    return (_OPENED[-1],)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _OPENED:
        os.close(_OPENED.pop())


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
        (tmp_path / name / "file").chmod(0o640)
    return tmp_path / "in"


def do(deed: Deed, inside: Path, uid: int | None = None) -> int:
    realm = Realm(opened(inside), os.geteuid() if uid is None else uid)
    return perform(deed, ME, realm).result


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def chmod(path: Path | str, *, follow: bool = True) -> Deed:
    return Deed("mode", AT_FDCWD, os.fsencode(path), follow, (0o600,))


def test_inside(inside: Path) -> None:
    assert do(chmod(inside / "file"), inside) == 0
    assert mode(inside / "file") == 0o600


@pytest.mark.parametrize(
    "spelling", ["{out}/file", "{inside}/../out/file", "{inside}/link", "{inside}/dirlink/file"]
)
def test_outside_however_it_is_spelt(spelling: str, inside: Path) -> None:
    out = inside.parent / "out"
    (inside / "link").symlink_to(out / "file")
    (inside / "dirlink").symlink_to(out)
    assert do(chmod(spelling.format(inside=inside, out=out)), inside) == -errno.EACCES
    assert mode(out / "file") == 0o640


def test_a_name_that_only_begins_alike_is_outside(inside: Path) -> None:
    other = inside.parent / "inward"
    other.write_text("x")
    assert do(chmod(other), inside) == -errno.EACCES


def test_a_descriptor(inside: Path) -> None:
    for name, expected in (("in", 0), ("out", -errno.EACCES)):
        with open(inside.parent / name / "file") as file:
            assert do(Deed("mode", file.fileno(), None, values=(0o600,)), inside) == expected
    assert mode(inside.parent / "out" / "file") == 0o640


def as_nobody() -> Caller:
    return ME._replace(rights=GuestRights((65534, 65534)))


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user")
def test_other_peoples_files(inside: Path) -> None:
    open_above(inside)
    inside.chmod(0o755)
    realm = Realm(opened(inside), 65534)
    touch = Deed("times", AT_FDCWD, os.fsencode(inside / "file"), values=(0, UTIME_NOW, 0, UTIME_NOW))
    assert perform(chmod(inside / "file"), as_nobody(), realm).result == -errno.EPERM
    assert perform(touch, as_nobody(), realm).result == -errno.EACCES
    (inside / "file").chmod(0o666)
    assert perform(touch, as_nobody(), realm).result == 0  # who may write may say: now
    assert perform(touch._replace(values=(5, 0, 5, 0)), as_nobody(), realm).result == -errno.EPERM
    inside.chmod(0o700)
    assert perform(chmod(inside / "file"), as_nobody(), realm).result == -errno.EACCES
    assert perform(chmod(inside / "none"), as_nobody(), realm).result == -errno.EACCES
    assert (os.geteuid(), os.access(inside / "file", os.W_OK)) == (0, True)


def test_a_descriptor_opened_with_o_path(inside: Path) -> None:
    fd = os.open(inside / "file", os.O_PATH)
    deed = Deed("mode", fd, None, values=(0o600,))
    assert do(deed, inside) == -errno.EBADF
    assert do(deed._replace(any_kind=True), inside) == 0  # AT_EMPTY_PATH
    os.close(fd)


def test_a_path_as_long_as_can_be(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(inside)
    path = b"./" * 2045 + b"file"
    for longer, error in ((0, 0), (1, -errno.ENAMETOOLONG)):
        deed = Deed("mode", AT_FDCWD, b"./" * longer + path, values=(0o600,))
        assert do(deed, inside) == error


def test_links_of_other_processes_are_not_followed(inside: Path) -> None:
    with open(inside / "file") as file:
        path = f"/proc/{os.getpid()}/fd/{file.fileno()}"
        assert do(chmod(path), inside) == 0
        stranger = ME._replace(is_guest=lambda pid: False)
        realm = Realm(opened(inside), os.geteuid())
        assert perform(chmod(path), stranger, realm).result == -errno.EACCES


@pytest.mark.parametrize(
    ("deed", "error"),
    [
        (chmod("/no/such/file"), errno.ENOENT),
        (chmod(""), errno.ENOENT),
        (chmod("/" + "x" * 300), errno.ENAMETOOLONG),
        (Deed("mode", 999, None, values=(0o600,)), errno.EBADF),
        (Deed("mode", -1, None, values=(0o600,)), errno.EBADF),
        (Deed("owner", AT_FDCWD, b"/", values=(12345, -1)), errno.EACCES),
        (Deed("owner", AT_FDCWD, b"/", values=(-1, -1)), errno.EACCES),
    ],
)
def test_errors(deed: Deed, error: int, inside: Path) -> None:
    assert do(deed, inside) == -error


def test_what_is_missing_is_so_for_the_guest_everywhere(inside: Path) -> None:
    """It can stat what it likes by its own rights; we look with no others."""
    for name in ("in", "out"):
        assert do(chmod(inside.parent / name / "missing"), inside) == -errno.ENOENT
        assert do(chmod(inside.parent / name / "file" / "x"), inside) == -errno.ENOTDIR


def test_what_is_missing_further_up(inside: Path) -> None:
    (inside / "dangling").symlink_to(inside.parent / "out" / "gone")
    for path, error in (
        ("in/a/b/c", errno.ENOENT),
        ("in/a/../../out/file", errno.ENOENT),
        ("out/a/b/c", errno.ENOENT),
        ("in/dangling", errno.ENOENT),
        ("in/dangling/x", errno.ENOENT),
    ):
        assert do(chmod(inside.parent / path), inside) == -error, path


def test_owner_that_is_so_already(inside: Path) -> None:
    facts = (inside / "file").stat()
    path = os.fsencode(inside / "file")
    for ids in ((-1, -1), (facts.st_uid, -1), (facts.st_uid, facts.st_gid)):
        assert do(Deed("owner", AT_FDCWD, path, values=ids), inside) == 0
    assert do(Deed("owner", AT_FDCWD, path, values=(facts.st_uid + 1, -1)), inside) == -errno.EPERM


def test_times(inside: Path) -> None:
    file = inside / "file"
    path = os.fsencode(file)
    assert do(Deed("times", AT_FDCWD, path, values=(5, 6, 7, 8)), inside) == 0
    assert (file.stat().st_atime_ns, file.stat().st_mtime_ns) == (5_000_000_006, 7_000_000_008)
    assert do(Deed("times", AT_FDCWD, path, values=(0, UTIME_OMIT, 9, 0)), inside) == 0
    assert (file.stat().st_atime_ns, file.stat().st_mtime_ns) == (5_000_000_006, 9_000_000_000)
    assert do(Deed("times", AT_FDCWD, path, values=(0, UTIME_OMIT, 0, UTIME_NOW)), inside) == 0
    assert file.stat().st_mtime_ns > 10**18
    assert do(Deed("times", AT_FDCWD, path, values=(0, 10**9, 0, 0)), inside) == -errno.EINVAL


def test_times_of_a_link_itself(inside: Path) -> None:
    link = inside / "link"
    link.symlink_to(inside.parent / "out" / "file")
    assert do(Deed("times", AT_FDCWD, os.fsencode(link), follow=False, values=(1, 0, 2, 0)), inside) == 0
    assert link.lstat().st_mtime_ns == 2_000_000_000
    assert (inside.parent / "out" / "file").stat().st_mtime_ns > 10**18


def test_anywhere_where_files_are_not_confined(inside: Path) -> None:
    realm = Realm(None, os.geteuid())
    out = inside.parent / "out" / "file"
    assert perform(chmod(out), ME, realm).result == 0
    assert mode(out) == 0o600


def test_what_lies_outside_is_named(inside: Path) -> None:
    out = os.path.realpath(inside.parent / "out")
    realm = Realm(opened(inside), os.geteuid())
    (inside / "link").symlink_to(f"{out}/file")
    for deed, uid, path, allow in (
        (chmod(inside / "link"), 0, f"{out}/file", f"--write {out}/file"),
        (chmod(inside / "link"), 1, f"{out}/file", ""),
        (Deed("owner", AT_FDCWD, os.fsencode(out), values=(-1, -1)), 1, out, f"--write {out}"),
    ):
        mine = realm._replace(uid=realm.uid + uid)
        done = perform(deed, ME, mine)
        assert done == (-errno.EACCES, (path, "write", allow))


def test_what_lies_nowhere_is_not_named(inside: Path) -> None:
    ends = os.pipe()
    realm = Realm(opened(inside), os.geteuid())
    done = perform(Deed("mode", ends[0], None, values=(0o600,)), ME, realm)
    assert done == (-errno.EACCES, None)
    for fd in ends:
        os.close(fd)


def test_a_place_is_what_was_opened_whatever_has_its_name_now(inside: Path) -> None:
    realm = Realm(opened(inside), os.geteuid())
    out = inside.parent / "out"
    inside.rename(inside.parent / "moved")
    out.rename(inside)
    assert perform(chmod(inside / "file"), ME, realm).result == -errno.EACCES
    assert perform(chmod(inside.parent / "moved" / "file"), ME, realm).result == 0
    assert (mode(inside / "file"), mode(inside.parent / "moved" / "file")) == (0o640, 0o600)


def test_a_place_may_be_a_file(inside: Path) -> None:
    realm = Realm(opened(inside / "file"), os.geteuid())
    assert perform(chmod(inside / "file"), ME, realm).result == 0
    assert perform(chmod(inside), ME, realm).result == -errno.EACCES


def test_files_without_a_name(inside: Path) -> None:
    """A temporary file has none, or has it no more; nobody else can reach it by one."""
    for directory, error in ((inside, 0), (inside.parent / "out", -errno.EACCES)):
        with open(directory / "gone", "w") as gone:
            (directory / "gone").unlink()
            made = os.open(directory, os.O_TMPFILE | os.O_RDWR)
            for fd in (gone.fileno(), made):
                assert do(Deed("mode", fd, None, values=(0o600,)), inside) == error
            os.close(made)


def test_a_removed_directory(inside: Path) -> None:
    (inside / "gone").mkdir()
    fd = os.open(inside / "gone", os.O_RDONLY)
    (inside / "gone").rmdir()
    assert do(Deed("mode", fd, None, values=(0o700,)), inside) == 0
    os.close(fd)


def test_a_file_in_a_directory_that_nobody_may_search(inside: Path) -> None:
    (inside / "closed").mkdir()
    with open(inside / "closed" / "file", "w") as file:
        (inside / "closed").chmod(0)
        assert do(Deed("mode", file.fileno(), None, values=(0o640,)), inside) == 0
    (inside / "closed").chmod(0o700)
