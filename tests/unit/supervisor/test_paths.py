"""Where paths lead, in few looks: the supervisor answers for nobody else while it looks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.rules.files import Found
from sandbox.supervisor.paths import MOST_LOOKS, find, find_name


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


def looks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    asked: list[bytes] = []
    look = os.open

    def count(path: bytes, flags: int) -> int:
        asked.append(path)
        assert flags & os.O_PATH
        return look(path, flags)

    monkeypatch.setattr(os, "open", count)
    return asked


@pytest.mark.parametrize(
    ("spelling", "most"),
    [("file", 1), ("new", 2), ("dir/a/b/c/d", 6), ("a/" * 1000, MOST_LOOKS), ("way0", MOST_LOOKS)],
)
def test_few_looks(spelling: str, most: int, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for nth in range(40):
        (here / f"way{nth}").symlink_to(f"missing{nth}/../way{nth + 1}")
    asked = looks(monkeypatch)
    found(spelling, here)
    assert len(asked) <= most


def test_no_descriptor_is_left(here: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for spelling in ("file", "new", "loop", "dangling", "a/b/c"):
        found(spelling, here)
    assert os.listdir("/proc/self/fd") == before
