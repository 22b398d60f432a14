"""The scratch directory: whatever the umask was and the guest did to it, made usable and removed again."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.errors import SetupError
from sandbox.launch import scratch


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("umask", [0o022, 0o777, 0o477])
def test_the_umask_takes_nothing_away(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        path = scratch.make(str(tmp_path), None)
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    assert scratch.remove(path)


@pytest.mark.parametrize("mode", [0o000, 0o077, 0o100, 0o400])
def test_a_guest_that_takes_its_own_rights_away(mode: int, tmp_path: Path) -> None:
    path = Path(scratch.make(str(tmp_path), None))
    (path / "inner").mkdir()
    (path / "inner" / "file").write_text("junk")
    (path / "inner").chmod(mode)
    path.chmod(mode)
    assert scratch.remove(str(path))
    assert not list(tmp_path.iterdir())


def test_without_a_descriptor_nothing_is_left_behind(tmp_path: Path) -> None:
    path = scratch.make(str(tmp_path), None)
    with no_more_descriptors():
        assert scratch.remove(path)
        with pytest.raises(SetupError, match="Too many open files"):
            scratch.make(str(tmp_path), None)
        left = os.path.exists(path)
    assert not left
    assert not list(tmp_path.iterdir())


def test_a_link_in_its_place_is_not_followed_and_is_told(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir(0o755)
    (target / "file").write_text("kept")
    (tmp_path / "link").symlink_to(target)
    assert not scratch.remove(str(tmp_path / "link"))
    assert (target / "file").read_text() == "kept"
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


def test_one_that_is_gone_already(tmp_path: Path) -> None:
    assert scratch.remove(str(tmp_path / "gone"))


@pytest.mark.parametrize(
    ("outer", "expected"),
    [
        ({}, "/tmp"),
        ({"TMPDIR": ""}, "/tmp"),
        ({"TMPDIR": "/var/tmp"}, "/var/tmp"),
        ({"TMPDIR": "a"}, "{cwd}/a"),
    ],
)
def test_where_it_is_made(outer: dict[str, str], expected: str) -> None:
    assert scratch.parent(outer) == expected.format(cwd=os.getcwd())
