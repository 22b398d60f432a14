"""Finding our own cgroup in the texts of /proc, on a tree of files that stands for cgroup v2."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.doctor.cgroups import Cgroup, _own, find_cgroup


def mount(point: str, root: str = "/", kind: str = "cgroup2") -> str:
    return f"35 25 0:30 {root} {point} rw,nosuid shared:9 - {kind} {kind} rw\n"


@pytest.mark.parametrize(
    ("mountinfo", "membership", "path"),
    [
        (mount("/sys/fs/cgroup"), "0::/user.slice/a", "/sys/fs/cgroup/user.slice/a"),
        (mount("/sys/fs/cgroup"), "0::/", "/sys/fs/cgroup"),
        (mount("/old", kind="cgroup") + mount("/new"), "4:memory:/x\n0::/b", "/new/b"),
        (mount("/c", root="/box"), "0::/box/in", "/c/in"),
        (mount("/c", root="/box"), "0::/box", "/c"),
        (mount("/c", root="/box"), "0::/boxes", ""),
        (mount("/a\\040b"), "0::/c", "/a b/c"),
        (mount("/c"), "4:memory:/x", ""),
        ("", "0::/", ""),
        ("nonsense\n - cgroup", "0::/", ""),
    ],
)
def test_our_own_directory(mountinfo: str, membership: str, path: str) -> None:
    assert _own(mountinfo, membership) == path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    own = tmp_path / "own"
    own.mkdir()
    (own / "cgroup.controllers").write_text("cpu memory pids\n")
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        (own / name).touch()
    return tmp_path


def test_a_delegated_one(tree: Path) -> None:
    assert find_cgroup(mount(str(tree)), "0::/own") == Cgroup(
        str(tree / "own"), ("cpu", "memory", "pids"), True
    )


@pytest.mark.parametrize("name", ["cgroup.procs", "cgroup.subtree_control"])
def test_one_that_cannot_be_divided(tree: Path, name: str) -> None:
    (tree / "own" / name).unlink()
    assert not find_cgroup(mount(str(tree)), "0::/own").writable


def test_one_without_controllers(tree: Path) -> None:
    (tree / "own" / "cgroup.controllers").unlink()
    assert find_cgroup(mount(str(tree)), "0::/own").controllers == ()


def test_one_that_is_gone(tree: Path) -> None:
    assert find_cgroup(mount(str(tree)), "0::/gone") == Cgroup(str(tree / "gone"))
