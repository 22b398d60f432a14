"""Facts for the audit log: right for made and for real programs, bounded for hostile ones."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.elf import ElfFacts, facts, identity
from sandbox.errors import NotRunnableError

Opened = Callable[[bytes], int]
Make = Callable[..., bytes]
MAX = (1 << 64) - 1


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_cache", {})


ROWS: dict[str, tuple[list[dict[str, int]], dict[str, Any], str, str | None, bool]] = {
    "static": ([{}], {}, "static", None, False),
    "static-pie": ([{"vaddr": 0}], {"type": 3, "entry": 0x100}, "static-pie", None, False),
    "dynamic": ([{}, {"type": 3}], {"type": 3}, "dynamic", "/lib/ld.so", False),
    "dynamic, fixed": ([{}, {"type": 3}], {}, "dynamic", "/lib/ld.so", False),
    "writable and executable": ([{"flags": 7}], {}, "static", None, True),
    "writable": ([{}, {"flags": 6}], {}, "static", None, False),
    "executable stack is no segment": ([{}, {"type": 0x6474E551, "flags": 7}], {}, "static", None, False),
    "lies about sections": ([{}], {"shoff": MAX, "shnum": 0xFFFF, "shstrndx": 7}, "static", None, False),
    "bad dynamic segment": ([{}, {"type": 2, "offset": MAX, "filesz": MAX}], {}, "static", None, False),
    "sections asked for by a dynamic segment": ([{}, {"type": 2}], {"shoff": MAX}, "static", None, False),
    "odd interpreter": (
        [{}, {"type": 3}],
        {"interpreter": b"/l\xff\x1b\0d.so\0"},
        "dynamic",
        "/l\udcff\x1b",
        False,
    ),
}


@pytest.mark.parametrize(("segments", "changes", "linkage", "interpreter", "both"), ROWS.values(), ids=ROWS)
def test_facts_of_made_programs(
    make_elf: Make,
    opened: Opened,
    segments: list[dict[str, int]],
    changes: dict[str, Any],
    linkage: str,
    interpreter: str | None,
    both: bool,
) -> None:
    data = make_elf(*segments, **changes)
    fd = opened(data)
    found = facts(fd)
    assert found == (hashlib.sha256(data).hexdigest(), "x86-64", linkage, interpreter, both)
    assert os.lseek(fd, 0, os.SEEK_CUR) == 0


def of(path: str) -> ElfFacts:
    fd = os.open(path, os.O_RDONLY)
    try:
        return facts(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("path", ["/bin/true", sys.executable])
def test_facts_of_this_machines_programs(path: str) -> None:
    found = of(path)
    assert found.sha256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert found.machine == "x86-64"
    assert not found.writable_executable
    if found.linkage == "dynamic":
        assert Path(found.interpreter or "").exists()


def test_the_dynamic_linker_has_no_interpreter() -> None:
    interpreter = of("/bin/true").interpreter
    assert interpreter is not None
    assert of(interpreter).linkage == "static-pie"


def test_as_dict_is_what_the_audit_log_holds(make_elf: Make, opened: Opened) -> None:
    data = make_elf({}, {"type": 3})
    assert facts(opened(data)).as_dict() == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "machine": "x86-64",
        "linkage": "dynamic",
        "interpreter": "/lib/ld.so",
    }


BAD: dict[str, tuple[list[dict[str, int]], dict[str, Any]]] = {
    "32-bit": ([{}], {"ident": b"\x7fELF\x01\x01".ljust(16, b"\0")}),
    "big endian": ([{}], {"ident": b"\x7fELF\x02\x02".ljust(16, b"\0")}),
    "headers beyond the end": ([{}], {"phoff": MAX}),
    "too many headers": ([{}], {"phnum": 0xFFFF}),
    "interpreter's length": ([{}, {"type": 3, "filesz": MAX}], {}),
    "cut header": ([{}], {"size": 63}),
    "empty": ([{}], {"size": 0}),
}


@pytest.mark.parametrize(("segments", "changes"), BAD.values(), ids=BAD)
def test_what_cannot_be_understood_is_not_runnable(
    make_elf: Make, opened: Opened, segments: list[dict[str, int]], changes: dict[str, Any]
) -> None:
    with pytest.raises(NotRunnableError):
        facts(opened(make_elf(*segments, **changes)))


def test_what_is_no_file_is_not_runnable(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(NotRunnableError, match="not a regular file"):
        facts(fd)
    os.close(fd)
    with pytest.raises(NotRunnableError, match="Bad file descriptor"):
        facts(fd)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 64 + 2 * 56 - 8), value=st.binary(min_size=1, max_size=8))
def test_any_header_gives_facts_or_is_not_runnable(
    make_elf: Make, opened: Opened, at: int, value: bytes
) -> None:
    data = make_elf({}, {"type": 3})
    try:
        found: ElfFacts | None = facts(opened(data[:at] + value + data[at + len(value) :]))
    except NotRunnableError:
        found = None
    assert found is None or found.linkage in ("static", "static-pie", "dynamic")


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file looks as if it was changed long ago."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10_000_000_000)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    asked: list[int] = []
    gather = identity._gather

    def count(fd: int, size: int, most: int) -> ElfFacts:
        asked.append(fd)
        return gather(fd, size, most)

    monkeypatch.setattr(identity, "_gather", count)
    return asked


@pytest.mark.usefixtures("settled")
def test_a_file_is_looked_at_once(make_elf: Make, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counted(monkeypatch)
    fd = opened(make_elf({}))
    assert facts(fd) is facts(fd)
    assert len(asked) == 1


def test_a_file_changed_a_moment_ago_is_looked_at_again(
    make_elf: Make, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted(monkeypatch)
    fd = opened(make_elf({}))
    monkeypatch.setattr(time, "time_ns", lambda: os.fstat(fd).st_ctime_ns + 1000)
    assert facts(fd) == facts(fd)
    assert len(asked) == 2


@pytest.mark.usefixtures("settled")
def test_a_forged_modification_time_does_not_help(make_elf: Make, opened: Opened, tmp_path: Path) -> None:
    fd = opened(make_elf({}))
    before, times = facts(fd), os.fstat(fd)
    path = tmp_path / "file0"
    while os.fstat(fd).st_ctime_ns == times.st_ctime_ns:  # until the file system's clock has ticked
        path.write_bytes(make_elf({}, interpreter=b"another"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert facts(fd).sha256 != before.sha256


@pytest.mark.usefixtures("settled")
def test_the_cache_is_bounded(make_elf: Make, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "MAX_CACHED", 3)
    fds = [opened(make_elf({}, interpreter=bytes([n]))) for n in range(5)]
    for fd in fds[:3]:
        facts(fd)
    asked = counted(monkeypatch)
    facts(fds[0])
    facts(fds[3])  # pushes out the one asked for longest ago
    facts(fds[0])
    assert asked == [fds[3]]
    facts(fds[1])
    assert asked == [fds[3], fds[1]]
    assert len(identity._cache) == 3


def test_a_huge_file_is_not_hashed(
    make_elf: Make, opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert identity.MAX_HASHED == 256 * 1024 * 1024
    fd = opened(make_elf({}))
    os.truncate(tmp_path / "file0", identity.MAX_HASHED + 1)
    assert facts(fd).sha256 is None
    assert facts(fd).linkage == "static"


@pytest.mark.usefixtures("settled")
def test_a_smaller_bound_for_what_guests_execute(make_elf: Make, opened: Opened, tmp_path: Path) -> None:
    fd = opened(make_elf({}))
    size = identity.MAX_HASHED_OF_GUEST
    os.truncate(tmp_path / "file0", size + 1)
    assert facts(fd, size).sha256 is None
    hashed = facts(fd).sha256
    assert hashed is not None
    assert facts(fd, size).sha256 == hashed  # it is known by now
    os.truncate(tmp_path / "file0", size)
    assert facts(fd, size).sha256 not in (None, hashed)


def test_importing_the_room_does_not_load_pyelftools() -> None:
    code = "import sys, sandbox.elf; sys.exit(any(name.split('.')[0] == 'elftools' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
