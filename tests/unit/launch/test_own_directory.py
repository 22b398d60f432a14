"""A directory of our own where others may write: what they put in the place of its names is not touched."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.launch import own_directory, scratch
from sandbox.launch.own_directory import OwnDirectory, make


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = tmp_path / "place"
    made.mkdir()
    return made


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A directory elsewhere that must not change."""
    made = tmp_path / "target"
    made.mkdir(0o700)
    (made / "kept").write_text("unchanged")
    return made


@pytest.fixture
def own(place: Path) -> Iterator[OwnDirectory]:
    made = make(str(place), "own-", 0o755)
    yield made
    if made.fd >= 0:
        made.remove()


def unchanged(target: Path) -> bool:
    names = [one.name for one in target.iterdir()]
    mode = stat.S_IMODE(target.stat().st_mode)
    return (names, mode, (target / "kept").read_text()) == (["kept"], 0o700, "unchanged")


def exchange_what_is_made(monkeypatch: pytest.MonkeyPatch, name: str, target: Path) -> None:
    """From now on a directory whose name begins so is a link to the target as soon as it is there."""
    real = scratch.make_directory

    def exchanged(made: str, parent: int) -> None:
        real(made, parent)
        if made.startswith(name):
            os.rmdir(made, dir_fd=parent)
            os.symlink(target, made, dir_fd=parent)

    monkeypatch.setattr(own_directory, "make_directory", exchanged)


@pytest.mark.parametrize("umask", [0o022, 0o777])
def test_modes_do_not_depend_on_the_umask(umask: int, place: Path) -> None:
    before = os.umask(umask)
    try:
        own = make(str(place), "own-", 0o755)
        inner = own.directory("inner", 0o777)
        inner.write("file", b"text", 0o666)
    finally:
        os.umask(before)
    paths = (Path(own.path), Path(inner.path), Path(inner.path, "file"))
    assert [stat.S_IMODE(one.stat().st_mode) for one in paths] == [0o755, 0o777, 0o666]
    assert paths[2].read_bytes() == b"text"
    assert own.remove()
    assert list(place.iterdir()) == []


def test_a_link_in_place_of_a_new_directory(
    place: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange_what_is_made(monkeypatch, "own-", target)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="Not a directory"):
        make(str(place), "own-", 0o755)
    assert unchanged(target)
    assert os.listdir("/proc/self/fd") == before


def test_a_link_in_place_of_one_in_it(
    own: OwnDirectory, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange_what_is_made(monkeypatch, "inner", target)
    with pytest.raises(OSError, match="Not a directory"):
        own.directory("inner", 0o777)
    assert own.remove()
    assert unchanged(target)


def test_a_directory_that_is_full_is_not_the_one_that_was_made(
    place: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = scratch.make_directory

    def exchanged(made: str, parent: int) -> None:
        real(made, parent)
        os.rename(target, made, dst_dir_fd=parent)

    monkeypatch.setattr(own_directory, "make_directory", exchanged)
    with pytest.raises(OSError, match="another directory has taken its place"):
        make(str(place), "own-", 0o755)
    [left] = place.iterdir()
    assert unchanged(left)


def test_what_has_a_directorys_name_already_is_left(own: OwnDirectory) -> None:
    Path(own.path, "inner").mkdir()
    with pytest.raises(FileExistsError):
        own.directory("inner", 0o777)
    assert Path(own.path, "inner").is_dir()


def test_files_go_where_the_directory_is_and_not_where_its_name_leads(
    own: OwnDirectory, place: Path, target: Path
) -> None:
    name = Path(own.path)
    aside = name.rename(place / "aside")
    name.symlink_to(target)
    own.write("file", b"text", 0o644)
    inner = own.directory("inner", 0o755)
    assert sorted(one.name for one in aside.iterdir()) == ["file", "inner"]
    assert (own.path, inner.path) == (str(aside), str(aside / "inner"))
    assert os.path.samestat(os.stat(own.here), aside.stat())
    assert not own.remove()  # its own name is the link, which is not ours to take away
    assert list(aside.iterdir()) == []
    assert name.is_symlink()
    assert unchanged(target)


def test_a_file_is_not_written_through_a_link(own: OwnDirectory, target: Path) -> None:
    Path(own.path, "file").symlink_to(target / "kept")
    with pytest.raises(FileExistsError):
        own.write("file", b"text", 0o644)
    assert unchanged(target)


def test_links_in_it_are_not_followed_by_its_removal(own: OwnDirectory, place: Path, target: Path) -> None:
    Path(own.directory("inner", 0o777).path, "link").symlink_to(target)
    assert own.remove()
    assert list(place.iterdir()) == []
    assert unchanged(target)


def test_one_that_is_gone_has_no_path(own: OwnDirectory) -> None:
    os.rmdir(own.path)
    with pytest.raises(FileNotFoundError):
        _ = own.path


def test_no_descriptor_is_left_open(place: Path) -> None:
    before = os.listdir("/proc/self/fd")
    own = make(str(place), "own-", 0o755)
    own.directory("inner", 0o755).directory("innermost", 0o755)
    assert own.remove()
    assert os.listdir("/proc/self/fd") == before
