"""Files that a person asks us to write: what is never followed, opened, emptied or waited for."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox import output_file
from sandbox.output_file import OutputFile
from tests.reach import open_above

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="only root can give files away, and be another user")
USER = 12345


def tree(top: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every name below `top`: its mode, inode and content."""
    found = {}
    for path in sorted(top.rglob("*")):
        status = path.lstat()
        data = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[str(path.relative_to(top))] = (status.st_mode, status.st_ino, data)
    return found


@contextmanager
def nothing_changes(top: Path) -> Iterator[None]:
    before, open_before = tree(top), sorted(os.listdir("/proc/self/fd"))
    yield
    assert tree(top) == before
    assert sorted(os.listdir("/proc/self/fd")) == open_before


def written(path: str, data: bytes = b"new") -> None:
    file = OutputFile(path)
    fd = file.open()
    file.commit()
    os.write(fd, data)
    os.close(fd)


def test_finding_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    with nothing_changes(tmp_path):
        for name in ("old", "new"):
            OutputFile(f"{tmp_path}/{name}").discard()


def test_opening_empties_nothing_and_discard_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    with nothing_changes(tmp_path):
        for name in ("old", "new"):
            file = OutputFile(f"{tmp_path}/{name}")
            file.open()
            assert (tmp_path / name).exists()
            file.discard()
            file.discard()


def test_commit_empties(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "old").write_text("a longer text")
    for name in ("old", "./new", "sub/../sub//other", f"{tmp_path}/sub/last"):
        written(name)
        assert (tmp_path / name).read_bytes() == b"new"


def test_the_mode_of_a_new_file(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        for mode in (0o600, 0o644, 0o666):
            file = OutputFile(f"{tmp_path}/{mode:o}", mode)
            file.open()
            file.commit()
            os.close(file.fd)
            assert stat.S_IMODE((tmp_path / f"{mode:o}").stat().st_mode) == mode & ~0o022
    finally:
        os.umask(before)


PLANTED: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "link": (
        lambda path, victim: path.symlink_to(victim),
        "run is a symbolic link that a guest may have made",
    ),
    "dangling link": (
        lambda path, victim: path.symlink_to(victim.with_name("new")),
        "run is a symbolic link",
    ),
    "relative link": (lambda path, victim: path.symlink_to(f"../{victim.name}"), "run is a symbolic link"),
    "directory": (lambda path, victim: path.mkdir(), "Is a directory"),
    "FIFO": (lambda path, victim: os.mkfifo(path), "nobody reads this FIFO"),
    "hard link": (lambda path, victim: path.hardlink_to(victim), "it is a hard link"),
    "socket": (lambda path, victim: bound(path), "neither a file nor a FIFO"),
}


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_file, "_PATIENCE_S", 0)
    plant, reason = PLANTED[kind]
    victim, place = tmp_path / "victim", tmp_path / "place"
    victim.write_text("precious")
    place.mkdir()
    plant(place / "run", victim)
    with nothing_changes(tmp_path), pytest.raises(OSError) as caught:
        OutputFile(f"{place}/run").open()
    assert reason in str(caught.value.strerror)


@pytest.mark.parametrize("path", ["link/run", "link/", "real/link/run", "link/../run", "link/./deeper/run"])
def test_a_link_on_the_way_is_refused(path: str, tmp_path: Path) -> None:
    (tmp_path / "real/deeper").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real/link").symlink_to(".")
    with nothing_changes(tmp_path), pytest.raises(OSError, match="link is a symbolic link"):
        OutputFile(f"{tmp_path}/{path}")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("", errno.ENOENT), ("no/run", errno.ENOENT), ("file/run", errno.ENOTDIR), (".", errno.EISDIR),
        ("..", errno.EISDIR), ("/", errno.EISDIR), ("sub/", errno.EISDIR), ("a" * 300, errno.ENAMETOOLONG),
        ("nul\0", errno.EINVAL), ("\ud800", errno.EINVAL), ("/dev/fd/999999", errno.EBADF),
    ],
)  # fmt: skip
def test_other_names_that_lead_to_no_file(
    path: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").write_text("kept")
    with nothing_changes(tmp_path), pytest.raises(OSError) as caught:
        OutputFile(path)
    assert caught.value.errno == code
    assert caught.value.strerror


def test_the_systems_own_links_are_followed() -> None:
    """/proc/mounts leads to self/mounts, and /proc/self to a number."""
    one, other = OutputFile("/proc/mounts"), OutputFile(f"/proc/{os.getpid()}/mounts")
    assert one.is_same(other)
    one.discard()
    other.discard()


def test_the_links_of_a_process_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match="cwd is a symbolic link"):
        OutputFile("/proc/self/cwd/run")


@needs_root
@pytest.mark.parametrize(
    ("owner", "mode", "followed"),
    [
        (0, 0o755, True), (0, 0o775, False), (0, 0o757, False), (0, 0o777, False), (0, 0o1777, False),
        (USER, 0o755, False), (USER, 0o555, False), (USER + 1, 0o755, False), (65534, 0o755, False),
    ],
)  # fmt: skip
def test_whose_links_an_ordinary_user_follows(owner: int, mode: int, followed: bool, tmp_path: Path) -> None:
    reachable(tmp_path)
    place, target = tmp_path / "place", tmp_path / "target"
    target.write_text("old")
    os.chown(target, USER, USER)
    place.mkdir()
    (place / "run").symlink_to(target)
    place.chmod(mode)
    os.chown(place, owner, owner)
    code = (
        "import sys; from sandbox.output_file import OutputFile\n"
        "try: f = OutputFile(sys.argv[1]); f.open(); f.commit(); print('followed')\n"
        "except OSError as e: print(e.strerror)"
    )
    told = by_user(code, f"{place}/run")
    assert ("followed" if followed else "run is a symbolic link") in told
    assert target.read_text() == ("" if followed else "old")


@needs_root
def test_a_user_who_may_write_everywhere_follows_no_link(tmp_path: Path) -> None:
    """CAP_DAC_OVERRIDE, which guests do not get, but another program of the user's may have it, too."""
    reachable(tmp_path)
    (tmp_path / "run").symlink_to("target")
    code = (
        f"import sys; sys.path.insert(0, {str(Path(output_file.__file__).parents[1])!r})\n"
        "from sandbox.output_file import OutputFile\n"
        "try: OutputFile(sys.argv[1]); print('followed')\n"
        "except OSError as e: print(e.strerror)"
    )
    caps = ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
    words = ["setpriv", "--reuid", str(USER), "--clear-groups", *caps, "python3", "-I", "-c", code]
    done = subprocess.run([*words, f"{tmp_path}/run"], capture_output=True, text=True, check=True)
    assert "run is a symbolic link" in done.stdout


@needs_root
def test_links_that_lead_in_a_circle(tmp_path: Path) -> None:
    reachable(tmp_path)
    (tmp_path / "run").symlink_to("run")
    code = (
        "from sandbox.output_file import OutputFile\n"
        "try: OutputFile(sys.argv[1])\n"
        "except OSError as e: print(e.strerror)"
    )
    assert by_user(code, f"{tmp_path}/run") == os.strerror(errno.ELOOP)


def reachable(directory: Path) -> None:
    """Let every user search a test's directory, and nobody else write it."""
    open_above(directory)
    directory.chmod(0o711)


def by_user(code: str, *words: str, cwd: str = "/") -> str:
    code = f"import sys; sys.path.insert(0, {str(Path(output_file.__file__).parents[1])!r})\n{code}"
    done = subprocess.run(
        ["/usr/bin/env", "python3", "-I", "-c", code, *words],
        user=USER, group=USER, extra_groups=[], capture_output=True, text=True, check=True, cwd=cwd,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.parametrize("mode", [0o755, 0o700, 0o777, 0o1777])
def test_root_follows_no_link_in_a_directory_that_a_guest_as_root_could_write(
    mode: int, tmp_path: Path
) -> None:
    (tmp_path / "run").symlink_to("target")
    tmp_path.chmod(mode)
    with pytest.raises(OSError, match="run is a symbolic link"):
        OutputFile(f"{tmp_path}/run")


@needs_root
@pytest.mark.parametrize("kind", ["file", "FIFO"])
@pytest.mark.parametrize(
    ("mode", "refused"), [(0o1777, True), (0o1775, True), (0o755, False), (0o1755, False)]
)
def test_another_users_file_in_a_sticky_directory_is_refused(
    kind: str, mode: int, refused: bool, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    if kind == "FIFO":
        os.mkfifo(path)
    else:
        path.write_text("old")
    os.chown(path, USER, USER)
    tmp_path.chmod(mode)
    if not refused:
        OutputFile(str(path)).discard()
        return
    with pytest.raises(OSError, match="another user's"):
        OutputFile(str(path))
    os.chown(path, 0, 0)
    OutputFile(str(path)).discard()


# ---- between finding and opening ----


def exchange(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    victim = path.with_name("victim")
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "hard link":
        path.hardlink_to(victim)
    elif kind == "moved victim":
        victim.rename(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_text("another")


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("kind", ["link", "hard link", "another file", "moved victim", "directory"])
def test_what_was_exchanged_meanwhile_is_left_alone(there: bool, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "run"
    (tmp_path / "victim").write_text("precious")
    if there:
        path.write_text("old")
    keep = os.open(path, os.O_RDONLY) if there else -1  # so that its inode number is not given again
    file = OutputFile(str(path))
    exchange(path, kind)
    before = tree(tmp_path)
    with pytest.raises(OSError) as caught:
        file.open()
    assert caught.value.strerror
    assert tree(tmp_path) == before
    if there:
        os.close(keep)


def test_a_directory_that_is_moved_meanwhile_is_still_the_place(tmp_path: Path) -> None:
    place, decoy = tmp_path / "place", tmp_path / "decoy"
    place.mkdir()
    decoy.mkdir()
    file = OutputFile(f"{place}/run")
    place.rename(tmp_path / "moved")
    place.symlink_to(decoy)
    file.open()
    file.commit()
    os.close(file.fd)
    assert (tmp_path / "moved/run").exists()
    assert not list(decoy.iterdir())


def test_discard_removes_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "run"
    file = OutputFile(str(path))
    file.open()
    path.rename(tmp_path / "ours")
    path.write_text("another")
    file.discard()
    assert path.read_text() == "another"


# ---- streams ----


def test_a_fifo_with_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = OutputFile(str(path))
    assert file.is_stream
    fd = file.open()
    file.commit()
    assert os.get_blocking(fd)
    os.write(fd, b"text")
    assert os.read(reader, 10) == b"text"
    os.close(fd)
    os.close(reader)


def test_a_reader_may_come_a_little_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    readers: list[int] = []

    def sleep(_: float) -> None:
        readers.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK))

    monkeypatch.setattr("sandbox.output_file.time.sleep", sleep)
    file = OutputFile(str(path))
    os.close(file.open())
    assert len(readers) == 1
    os.close(readers[0])
    file.fd = -1
    file.discard()


def test_descriptors_are_opened_by_every_name(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    plain = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    for number in (writer, plain):
        for name in ("/dev/fd", "/proc/self/fd", "/proc/thread-self/fd", f"/proc/{os.getpid()}/fd"):
            written(f"{name}/{number}")
    assert os.read(reader, 100) == b"new" * 4
    assert (tmp_path / "file").read_bytes() == b"new" * 4  # from where the one before stopped
    for fd in (reader, writer, plain):
        os.close(fd)


def test_an_open_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    with pytest.raises(OSError, match="open for reading only"):
        OutputFile(f"/dev/fd/{fd}").open()
    os.close(fd)
    assert (tmp_path / "file").read_text() == "kept"


def test_standard_output_is_a_descriptor_through_a_link_too(tmp_path: Path) -> None:
    """/dev/fd and /dev/stdout are links of root's; from a directory of root's, spelled in another way."""
    one, other = OutputFile("/dev/stdout"), OutputFile("/dev/../dev/stdout")
    assert one._given == other._given == 1
    assert OutputFile("/dev/./fd/2")._given == 2


def test_the_descriptor_is_the_callers_alone(tmp_path: Path) -> None:
    file = OutputFile(f"{tmp_path}/run")
    saved = os.dup(0)
    os.close(0)
    try:
        fd = file.open()
        file.commit()
    finally:
        os.dup2(saved, 0)
        os.close(saved)
    assert fd > 2
    assert fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    os.close(fd)


def test_devices_are_streams() -> None:
    file = OutputFile("/dev/null")
    assert file.is_stream
    assert not file.is_within(["/"])
    os.close(file.open())
    file.fd = -1
    file.discard()


@needs_root
def test_a_block_device_is_not_opened(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "disk", stat.S_IFBLK | 0o600, os.makedev(7, 77))
    except PermissionError:
        pytest.skip("no device nodes here")
    with pytest.raises(OSError, match="neither a file nor a FIFO"):
        OutputFile(f"{tmp_path}/disk")


# ---- where it is ----


def test_one_file_by_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").write_text("")
    same = OutputFile("old").is_same
    assert same(OutputFile(f"{tmp_path}/./old"))
    assert not same(OutputFile("new"))
    assert not OutputFile("new").is_same(OutputFile("old"))
    assert OutputFile("new").is_same(OutputFile(f"{tmp_path}/new"))
    assert not OutputFile("new").is_same(OutputFile("newer"))
    assert not OutputFile("/dev/null").is_same(OutputFile("/dev/null"))


@pytest.mark.parametrize("there", [True, False])
def test_what_is_beneath_a_place(there: bool, tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    if there:
        (tmp_path / "a/b/run").write_text("")
    file = OutputFile(f"{tmp_path}/a/b/run")
    root = os.open(tmp_path / "a", os.O_PATH)
    assert file.is_within([root])
    assert file.is_within(["/"])
    assert file.is_within([str(tmp_path / "other"), str(tmp_path / "a/b")])
    assert not file.is_within([str(tmp_path / "other")])
    assert not file.is_within([])
    if there:
        assert file.is_within([str(tmp_path / "a/b/run")])
    os.close(root)
    file.discard()


def test_it_is_told_by_where_it_is_and_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "open").mkdir()
    file = OutputFile(f"{tmp_path}/a/run")
    (tmp_path / "a").rename(tmp_path / "open/a")
    (tmp_path / "a").mkdir()
    assert file.is_within([str(tmp_path / "open")])
    file.discard()


def test_an_open_file_is_told_by_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    fd = os.open(tmp_path / "open/run", os.O_WRONLY | os.O_CREAT)
    file = OutputFile(f"/dev/fd/{fd}")
    assert file.is_within([str(tmp_path / "open")])
    assert not file.is_within(["/proc"])
    (tmp_path / "open/run").unlink()
    assert not file.is_within([str(tmp_path / "open")])
    os.close(fd)


@needs_root
def test_a_directory_above_that_may_not_be_searched(tmp_path: Path) -> None:
    """Its `..` cannot be opened, so what is above is looked up by name."""
    reachable(tmp_path)
    locked, work = tmp_path / "locked", tmp_path / "locked/work"
    work.mkdir(parents=True)
    os.chown(work, USER, USER)
    locked.chmod(0o700)
    code = (
        "from sandbox.output_file import OutputFile\n"
        "f = OutputFile('run'); print(*[f.is_within([one]) for one in sys.argv[1:]])"
    )
    assert by_user(code, ".", str(tmp_path), "/", "/proc", cwd=str(work)) == "True True True False"


def test_every_reason_is_one_line(tmp_path: Path) -> None:
    name = "esc\x1b[2J\nline"
    (tmp_path / name).symlink_to("x")
    with pytest.raises(OSError) as caught:
        OutputFile(f"{tmp_path}/{name}")
    reason = str(caught.value.strerror)
    assert reason.isprintable()
    assert reason.startswith(r"'esc\x1b[2J\nline' is a symbolic link")
