"""Places: each name is looked at once, and what it led to is used from then on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.errors import NotRunnableError, UsageError
from sandbox.launch import program
from sandbox.launch.places import Given, Places


def exchange(path: Path, target: Path) -> None:
    """Move what is at `path` away and put a link to `target` there."""
    path.rename(path.with_name(f"{path.name}-moved"))
    path.symlink_to(target)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "secret").mkdir()
    return tmp_path / "secret"


@pytest.mark.parametrize("text", ["name", "${cwd}/name"])
def test_a_name_is_looked_at_once(
    text: str, tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "name").mkdir()
    monkeypatch.chdir(tmp_path)
    with Places() as places:
        before = places.find(text)
        exchange(tmp_path / "name", secret)
        after = places.find(text)
        assert before is not None
        assert after == before
        assert os.fstat(before.fd).st_ino == (tmp_path / "name-moved").stat().st_ino
        assert before.path == f"{tmp_path}/name"


def test_the_working_directory_is_looked_at_once(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "work").mkdir()
    with Places(str(tmp_path / "work")) as places:
        exchange(tmp_path / "work", secret)
        found = places.find("${cwd}")
        assert found is not None
        assert os.path.sameopenfile(found.fd, places.cwd.fd)
        assert places.names["cwd"] == places.cwd.path == f"{tmp_path}/work"
        assert found.path == f"{tmp_path}/work-moved"  # as the kernel tells it now


def test_names_of_options_are_looked_at_first(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "out").mkdir()
    given = Given("--write", str(tmp_path / "out"))
    with Places("/", [given]) as places:
        exchange(tmp_path / "out", secret)
        found = places.find(given.text)
        assert found is not None
        assert found.path == f"{tmp_path}/out"


def test_a_program_is_found_at_its_descriptor(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "prog").write_bytes(Path("/bin/true").read_bytes())
    (tmp_path / "prog").chmod(0o755)
    opened = program.open_program(str(tmp_path / "prog"), "")
    try:
        with Places() as places:
            exchange(tmp_path / "prog", secret)
            places.define("program", opened.fd)
            found = places.find("${program}")
            assert found is not None
            assert os.fstat(found.fd).st_ino == opened.identity[1]
            assert opened.found == f"{tmp_path}/prog"
    finally:
        os.close(opened.fd)


def test_a_fifo_is_not_opened_to_look_whether_it_is_a_program(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o755)
    with pytest.raises(NotRunnableError, match="not a regular file"):
        program.open_program(str(fifo), "")


def test_the_whole_file_system_is_no_working_directory_for_a_policy() -> None:
    with Places("/") as places:
        assert places.cwd.path == "/"
        assert "cwd" not in places.names
        assert places.find("${cwd}") is None


def test_a_name_may_get_its_value_later(tmp_path: Path) -> None:
    with Places("/") as places:
        assert places.find("${scratch}/x") is None
        (tmp_path / "x").mkdir()
        fd = os.open(tmp_path, os.O_PATH)
        places.define("scratch", fd)
        found = places.find("${scratch}/x")
        os.close(fd)
        assert found is not None
        assert found.path == f"{tmp_path}/x"


@pytest.mark.parametrize("path", ["", "nope", "a\0b", "/no/such"])
def test_an_option_names_what_is_there(path: str) -> None:
    with pytest.raises(UsageError, match=r"^--read .*: no such file or directory$"):
        Places("/", [Given("--read", path)])


@pytest.mark.parametrize("path", ["", "nope", "a\0b", "/no/such", "/etc/passwd"])
def test_the_working_directory_is_a_directory_that_is_there(path: str) -> None:
    with pytest.raises(UsageError, match=r"^--cwd .*: (no such file or directory|not a directory)$"):
        Places(path)


def test_a_relative_option_that_looks_like_a_name_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "${cwd}").mkdir()
    monkeypatch.chdir(tmp_path)
    given = Given("--read", "${cwd}")
    with Places("/", [given]) as places:
        found = places.find(given.text)
        assert found is not None
        assert found.path == f"{tmp_path}/${{cwd}}"


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with Places(str(tmp_path), [Given("--read", "/usr"), Given("--write", "/usr")]) as places:
        places.find("/etc")
        places.find("${cwd}")
    with pytest.raises(UsageError):
        Places(str(tmp_path), [Given("--read", "/no/such")])
    assert set(os.listdir("/proc/self/fd")) == before
