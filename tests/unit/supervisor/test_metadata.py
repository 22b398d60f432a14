"""Modes, times and owners, changed by the supervisor: on the file it looked at, where writing is allowed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sandbox.outcome import Deed
from sandbox.rules.metadata import AT_FDCWD, UTIME_NOW, UTIME_OMIT
from sandbox.supervisor.metadata import Realm, perform


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
        (tmp_path / name / "file").chmod(0o640)
    return tmp_path / "in"


def do(deed: Deed, inside: Path, uid: int | None = None) -> int:
    realm = Realm((os.path.realpath(inside),), os.geteuid() if uid is None else uid)
    return perform(deed, os.getpid(), lambda path: path, realm).result


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


def test_other_peoples_files(inside: Path) -> None:
    assert do(chmod(inside / "file"), inside, uid=os.geteuid() + 1) == -errno.EPERM


@pytest.mark.parametrize(
    ("deed", "error"),
    [
        (chmod("/no/such/file"), errno.EACCES),
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


def test_what_is_missing_is_told_inside_only(inside: Path) -> None:
    for name, error in (("in", errno.ENOENT), ("out", errno.EACCES)):
        assert do(chmod(inside.parent / name / "missing"), inside) == -error
        assert do(chmod(inside.parent / name / "file" / "x"), inside) == -(
            errno.ENOTDIR if name == "in" else errno.EACCES
        )


def test_what_is_missing_further_up(inside: Path) -> None:
    (inside / "dangling").symlink_to(inside.parent / "out" / "gone")
    for path, error in (
        ("in/a/b/c", errno.ENOENT),
        ("in/a/../../out/file", errno.ENOENT),  # the way ends inside
        ("out/a/b/c", errno.EACCES),
        ("in/dangling", errno.EACCES),
        ("in/dangling/x", errno.EACCES),
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


def test_times_of_a_link_itself(inside: Path) -> None:
    link = inside / "link"
    link.symlink_to(inside.parent / "out" / "file")
    assert do(Deed("times", AT_FDCWD, os.fsencode(link), follow=False, values=(1, 0, 2, 0)), inside) == 0
    assert link.lstat().st_mtime_ns == 2_000_000_000
    assert (inside.parent / "out" / "file").stat().st_mtime_ns > 10**18


def test_anywhere_where_files_are_not_confined(inside: Path) -> None:
    realm = Realm(None, os.geteuid())
    out = inside.parent / "out" / "file"
    assert perform(chmod(out), os.getpid(), lambda path: path, realm).result == 0
    assert mode(out) == 0o600


def test_what_lies_outside_is_named(inside: Path) -> None:
    out = os.path.realpath(inside.parent / "out")
    realm = Realm((os.path.realpath(inside),), os.geteuid())
    (inside / "link").symlink_to(f"{out}/file")
    for deed, uid, path, allow in (
        (chmod(inside / "link"), 0, f"{out}/file", f"--write {out}/file"),
        (chmod(inside / "link"), 1, f"{out}/file", ""),
        (chmod(f"{out}/gone/x"), 0, f"{out}/gone/x", ""),
        (Deed("owner", AT_FDCWD, os.fsencode(out), values=(-1, -1)), 1, out, f"--write {out}"),
    ):
        mine = realm._replace(uid=realm.uid + uid)
        done = perform(deed, os.getpid(), lambda path: path, mine)
        assert done == (-errno.EACCES, (path, "write", allow))


def test_what_lies_nowhere_is_not_named(inside: Path) -> None:
    ends = os.pipe()
    realm = Realm((os.path.realpath(inside),), os.geteuid())
    done = perform(Deed("mode", ends[0], None, values=(0o600,)), os.getpid(), lambda path: path, realm)
    assert done == (-errno.EACCES, None)
    for fd in ends:
        os.close(fd)
