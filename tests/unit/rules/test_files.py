"""Which path a call lacked by `[files]`, and the options that would allow it."""

from __future__ import annotations

import os
from typing import NamedTuple

import pytest

from sandbox.rules.files import AT_FDCWD, CALLS, Found, Refusal, Right, Wanted, refused, wanted
from sandbox.syscalls import table
from sandbox.syscalls.call import Call

O_RDWR, O_CREAT, O_TRUNC = 0o2, 0o100, 0o1000
A, B = 0x1000, 0x2000
HERE = AT_FDCWD & 0xFFFF_FFFF
ALLOWED: dict[Right, tuple[str, ...]] = {
    "read": ("/usr", "/w", "/scratch"), "write": ("/w", "/scratch"), "exec": ("/usr", "/bin", "/w/run")
}  # fmt: skip
DIRECTORIES = {
    "/",
    "/w",
    "/w/run",
    "/usr",
    "/bin",
    "/out",
    "/out/dir",
    "/scratch",
    "/proc/77",
    "/o t",
    "/shm",
}
FILES = {
    "/w/file",
    "/w/run/file",
    "/bin/tool",
    "/out/file",
    "/out/dir/file",
    "/scratch/file",
    "/o t/f",
    "/shm/f",
}
FILES |= {"/proc/77/maps"}


class World(NamedTuple):
    """Paths by address, in the file system above."""

    paths: dict[int, str]

    def find(self, one: Wanted) -> Found | None:
        path = self.paths.get(one.address)
        if path is None:
            return None
        place = os.path.dirname(path) if one.name else path
        while place not in DIRECTORIES | FILES:
            place = os.path.dirname(place)
        missing = len(os.path.relpath(path, place).split("/")) if path != place else 0
        return Found(path, place, missing, path in DIRECTORIES and not missing, int(path.startswith("/shm")))


def ask(name: str, *args: int, a: str = "", b: str = "") -> Refusal | None:
    first, second, third, *_ = (*args, 0, 0, 0)
    call = Call(table.NUMBERS[name], (first, second, third, 0, 0, 0))
    return refused(call, ALLOWED, World({A: a, B: b} if b else {A: a}).find, "/scratch")


@pytest.mark.parametrize(
    ("name", "args", "a", "expected"),
    [
        ("open", (A, 0), "/out/file", ("read", "--read /out/file")),
        ("open", (A, 0), "/o t/f", ("read", "--read '/o t/f'")),
        ("open", (A, O_RDWR), "/out/file", ("write", "--write /out/file")),
        ("openat", (HERE, A, O_TRUNC), "/out/file", ("write", "--write /out/file")),
        ("openat", (HERE, A, O_CREAT), "/out/file", ("read", "--read /out/file")),
        ("openat", (HERE, A, O_CREAT), "/out/new", ("write", "--write /out")),
        ("creat", (A,), "/out/new", ("write", "--write /out")),
        ("creat", (A,), "/out/file", ("write", "--write /out/file")),
        ("creat", (A,), "/new", ("write", "--write /")),
        ("openat", (HERE, A, O_CREAT), "/out/gone/new", ("write", "")),
        ("open", (A, 0), "/out/hidden/key", ("read", "")),
        ("truncate", (A,), "/usr/x", ("write", "")),
        ("mkdir", (A,), "/out/new", ("write", "--write /out")),
        ("symlink", (0, A), "/out/new", ("write", "--write /out")),
        ("mknod", (A,), "/out/new", ("write", "--write /out")),
        ("unlink", (A,), "/out/file", ("write", "--write /out")),
        ("unlinkat", (HERE, A), "/out/file", ("write", "--write /out")),
        ("rmdir", (A,), "/out/dir", ("write", "--write /out")),
        ("rmdir", (A,), "/w", ("write", "--write /")),
        ("execve", (A,), "/out/file", ("exec", "--exec /out/file")),
        ("open", (A, 0), "/proc/77/maps", ("read", "--read /proc")),
        ("execve", (A,), "/scratch/file", ("exec", "")),
        ("open", (A, 0), "/bin", ("read", "--read /bin")),
        ("open", (A, 0), "/bin/tool", None),
        ("open", (A, 0), "/w", None),
        ("open", (A, O_RDWR | O_CREAT), "/w/new", None),
        ("mkdir", (A,), "/w/run/new", None),
        ("open", (A, 0), "/w/gone/x", None),
        ("execve", (A,), "/bin/tool", None),
        ("open", (B, 0), "/out/file", None),
    ],
)
def test_one_path(name: str, args: tuple[int, ...], a: str, expected: tuple[Right, str] | None) -> None:
    assert ask(name, *args, a=a) == (expected and Refusal(a, *expected))


@pytest.mark.parametrize("name", ["rename", "link"])
@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("/out/file", "/out/new", ("/out/file", "write", "--write /out")),
        ("/out/file", "/out/dir/new", ("/out/file", "write", "--write /out --write /out/dir")),
        ("/w/file", "/out/new", ("/out/new", "write", "--write /out")),
        ("/out/file", "/w/new", ("/out/file", "write", "--write /out")),
        ("/out/file", "/w/run/new", ("/out/file", "write", "--write /out --exec /out")),
        ("/w/file", "/w/run/new", ("/w/file", "exec", "--exec /w")),
        ("/shm/f", "/w/run/new", ("/shm/f", "write", "--write /shm")),
        ("/scratch/file", "/w/run/new", ("/scratch/file", "exec", "")),
        ("/w/run/file", "/w/new", None),
    ],
)
def test_two_paths(name: str, a: str, b: str, expected: tuple[str, Right, str] | None) -> None:
    assert ask(name, A, B, a=a, b=b) == (expected and Refusal(*expected))


def test_every_path_is_wanted_of_its_own_argument() -> None:
    for nr in CALLS:
        assert {one.address for one in wanted(Call(nr, (1, 2, 3, 4, 5, 6)))} <= {1, 2, 3, 4}
    at = wanted(Call(table.NUMBERS["renameat2"], (HERE, A, 5, B, 0, 0)))
    assert [(one.dirfd, one.address, one.name) for one in at] == [(AT_FDCWD, A, True), (5, B, True)]
