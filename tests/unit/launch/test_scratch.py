"""The scratch directory: apart from every guest, usable whatever the umask, and gone whatever was done."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.errors import SetupError, UsageError
from sandbox.launch import locks, removal, scratch
from sandbox.launch.scratch import Written
from tests.reach import open_above

OTHER = 12345
RANDOM = "0123456789abcdef" * 2
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place like /var/tmp, the only one in which homes are made."""
    place = tmp_path / "base"
    place.mkdir()
    place.chmod(0o1777)
    monkeypatch.setattr(scratch, "bases", lambda uid: (str(place),))
    return place


@pytest.fixture
def ordinary(base: Path, tmp_path: Path) -> Iterator[int]:
    """An ordinary user's rights: root may do everything in directories of any mode."""
    if os.geteuid() != 0:
        yield os.geteuid()
        return
    open_above(tmp_path / "any")
    os.seteuid(OTHER)
    try:
        yield OTHER
    finally:
        os.seteuid(0)


def home_of(base: Path, uid: int | None = None) -> Path:
    return base / f"ostoo-sandbox-{os.geteuid() if uid is None else uid}"


def left_in(base: Path) -> list[str]:
    return sorted(one.name for one in home_of(base).iterdir())


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# ---- made ----


@pytest.mark.parametrize("umask", [0o022, 0o777, 0o477])
def test_the_umask_takes_nothing_away(umask: int, base: Path, ordinary: int) -> None:
    before = os.umask(umask)
    try:
        made = scratch.make(None)
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert [stat.S_IMODE(Path(made.path, up).stat().st_mode) for up in (".", "..", "../..")] == [0o700] * 3
    assert made.remove()
    assert left_in(base) == []


@needs_root
def test_roots_guests_pass_through_and_may_not_list(base: Path) -> None:
    made = scratch.make((OTHER, OTHER))
    try:
        modes = [stat.S_IMODE(Path(made.path, up).stat().st_mode) for up in (".", "..", "../..")]
        owners = [Path(made.path, up).stat().st_uid for up in (".", "..", "../..")]
        assert (modes, owners) == ([0o700, 0o711, 0o711], [OTHER, 0, 0])
    finally:
        assert made.remove()


def test_its_name_and_its_descriptor_are_one(base: Path) -> None:
    made = scratch.make(None)
    assert os.path.samestat(os.stat(made.path), os.fstat(made.fd))
    assert made.path == os.path.realpath(made.path)
    assert made.home == str(home_of(base))
    assert os.get_inheritable(made.fd) is False
    assert made.remove()


def test_no_descriptor_is_left_open(base: Path) -> None:
    before = os.listdir("/proc/self/fd")
    assert scratch.make(None).remove()
    assert os.listdir("/proc/self/fd") == before


def test_what_fails_midway_leaves_nothing(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, uid: int, gid: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SetupError, match=r"cannot make a scratch directory in .*: Operation not permitted"):
        scratch.make((OTHER, OTHER))
    assert os.listdir("/proc/self/fd") == before
    assert left_in(base) == []


# ---- where ----


def test_the_callers_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    before = scratch.bases(1000)
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/elsewhere")
    assert scratch.bases(1000) == before == ("/var/tmp", "/run/user/1000", "/tmp")


def plant_link(home: Path) -> None:
    (home.parent / "target").mkdir()
    home.symlink_to(home.parent / "target")


def plant_writable(home: Path) -> None:
    home.mkdir()
    home.chmod(0o777)


def plant_file(home: Path) -> None:
    home.write_text("")


def plant_loose_base(home: Path) -> None:
    home.parent.chmod(0o777)


def plant_foreign(home: Path) -> None:
    home.mkdir()
    os.chown(home, OTHER, OTHER)


SQUATTERS = [
    plant_link, plant_writable, plant_file, plant_loose_base, pytest.param(plant_foreign, marks=needs_root)
]  # fmt: skip


@pytest.mark.parametrize("plant", SQUATTERS)
def test_a_squatted_home_is_left_for_the_next(
    plant: Callable[[Path], None], base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "next").mkdir(0o700)
    plant(home_of(base))
    with pytest.raises(SetupError, match="cannot make a scratch directory: "):
        scratch.make(None)
    monkeypatch.setattr(scratch, "bases", lambda uid: (str(base), str(tmp_path / "next")))
    made = scratch.make(None)
    assert made.home == str(home_of(tmp_path / "next"))
    assert made.remove()
    assert not list(base.glob("target/*"))


def test_a_home_that_others_may_read_is_closed_to_them(base: Path) -> None:
    home_of(base).mkdir()
    home_of(base).chmod(0o755)
    assert scratch.make(None).remove()
    assert stat.S_IMODE(home_of(base).stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)


def test_without_any_home_each_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scratch, "bases", lambda uid: (str(tmp_path / "a"), str(tmp_path / "b")))
    with pytest.raises(SetupError, match=r"/a/ostoo-sandbox-\d+: No such file.*; .*/b/ostoo-sandbox-\d+: No"):
        scratch.make(None)


# ---- removed ----


@pytest.mark.parametrize("mode", [0o000, 0o077, 0o100, 0o400])
def test_a_guest_that_takes_its_own_rights_away(mode: int, base: Path, ordinary: int) -> None:
    made = scratch.make(None)
    path = Path(made.path)
    (path / "inner").mkdir()
    (path / "inner" / "file").write_text("junk")
    (path / "inner").chmod(mode)
    path.chmod(mode)
    assert made.remove()
    assert left_in(base) == []


def test_locked_directories_two_levels_down(base: Path, ordinary: int) -> None:
    made = scratch.make(None)
    deepest = Path(made.path, "a", "b", "c")
    deepest.mkdir(parents=True)
    (deepest / "file").write_text("junk")
    for directory in (deepest, *list(deepest.parents)[:2]):
        directory.chmod(0)
    assert made.remove()
    assert left_in(base) == []


def test_a_tree_too_deep_for_a_path(base: Path, ordinary: int) -> None:
    made = scratch.make(None)
    here = os.open(made.path, os.O_PATH)
    for _ in range(3000):
        os.mkdir("d" * 20, 0o700, dir_fd=here)
        inner = os.open("d" * 20, os.O_PATH, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    assert made.remove()
    assert left_in(base) == []


def test_many_files(base: Path) -> None:
    made = scratch.make(None)
    for number in range(5000):
        os.mkfifo(os.path.join(made.path, f"{number}"))
    assert made.remove()
    assert left_in(base) == []


def test_no_link_is_followed(base: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir(0o750)
    (kept / "file").write_text("kept")
    made = scratch.make(None)
    Path(made.path, "a").mkdir()
    for link in ("to-directory", "a/to-directory"):
        Path(made.path, link).symlink_to(kept)
        Path(made.path, f"{link}-file").symlink_to(kept / "file")
    (home_of(base) / "to-directory").symlink_to(kept)
    fd = os.open(home_of(base), os.O_RDONLY)
    assert removal.clear(fd, lambda: True)
    os.close(fd)
    assert left_in(base) == []
    assert made.remove()
    assert (kept / "file").read_text() == "kept"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o750


MOUNTED = """
import os, sys
from sandbox.launch import scratch
scratch.bases = lambda uid: (sys.argv[1],)
made = scratch.make(None)
inner = os.path.join(made.path, "a", "mounted")
os.makedirs(inner)
for directory in (made.path, os.path.dirname(inner)):
    for name in "xyz":
        open(os.path.join(directory, name), "w").close()
assert os.system(f"mount -t tmpfs -o mode=500 none {inner} && echo kept >{inner}/file") == 0
assert not made.remove()
left = [os.path.join(path, name) for path, _, files in os.walk(sys.argv[1]) for name in files]
print([(os.path.basename(one), open(one).read()) for one in left])
[mounted] = map(os.path.dirname, left)
assert os.stat(mounted).st_mode & 0o777 == 0o500
"""


SWEPT = """
import os, sys
from sandbox.launch import scratch
scratch.bases = lambda uid: (sys.argv[1],)
inner = os.path.join(scratch.open_home().path, "0123456789abcdef" * 2)
os.mkdir(inner)  # in the home of who we are here: an ordinary user is root in a namespace of its own
assert os.system(f"mount -t tmpfs none {inner} && echo kept >{inner}/file") == 0
assert scratch.make(None).remove()
print([(name, open(os.path.join(inner, name)).read()) for name in os.listdir(inner)])
"""


def in_mount_namespace(code: str, base: Path) -> None:
    """Run code that mounts something and prints what is left."""
    apart = (
        ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    )
    if subprocess.run([*apart, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no mount namespace to be had here")
    words = [*apart, sys.executable, "-P", "-c", code, str(base)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("[('file', 'kept\\n')]\n", "")


def test_no_other_file_system_is_entered_and_the_rest_goes(base: Path) -> None:
    in_mount_namespace(MOUNTED, base)


def test_what_cannot_be_removed_is_told(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *, dir_fd: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    made = scratch.make(None)
    Path(made.path, "file").write_text("junk")
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        assert not made.remove()
    assert Path(made.path, "file").exists()


def test_a_signal_ends_a_removal_that_takes_long(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_SWEEP_S", -1.0)
    made = scratch.make(None)
    Path(made.path, "file").write_text("junk")
    monkeypatch.setattr(scratch, "_PATIENCE_S", -1.0)
    assert not made.remove(lambda: True)
    assert Path(made.path, "file").exists()
    assert os.listdir(home_of(base)) != []


def test_without_a_descriptor_nothing_is_left_behind(base: Path) -> None:
    made = scratch.make(None)
    with no_more_descriptors():
        assert made.remove()
        with pytest.raises(SetupError, match=r"^cannot make a scratch directory: Too many open files$"):
            scratch.make(None)
        left = os.path.exists(made.path)
    assert not left
    assert left_in(base) == []


def test_a_link_in_its_place_is_not_followed_and_is_told(base: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir(0o755)
    (target / "file").write_text("kept")
    made = scratch.make(None)
    case = Path(made.path).parent
    case.rename(base / "aside")
    case.symlink_to(target)
    assert not made.remove()
    assert case.is_symlink()
    assert (target / "file").read_text() == "kept"
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


def test_another_directory_in_its_place_stays(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_SWEEP_S", -1.0)
    made = scratch.make(None)
    case = Path(made.path).parent
    case.rename(base / "aside")
    case.mkdir()
    assert not made.remove()
    assert case.is_dir()


def test_one_that_is_gone_already(base: Path) -> None:
    made = scratch.make(None)
    os.rmdir(made.path)
    os.rmdir(os.path.dirname(made.path))
    assert made.remove()


# ---- what killed runs leave ----


def leave(base: Path) -> Path:
    """What a killed run leaves: everything but the lock."""
    made = scratch.make(None)
    Path(made.path, "a", "b").mkdir(parents=True)
    Path(made.path, "a", "file").write_text("junk")
    Path(made.path, "a").chmod(0)
    Path(made.path).chmod(0)
    for fd in (made.fd, made._case, made._home):
        os.close(fd)
    return Path(made.path).parent


def test_a_later_run_clears_what_nobody_holds(base: Path, ordinary: int) -> None:
    leave(base)
    leave(base)
    held = scratch.make(None)
    Path(held.path).chmod(0)
    assert scratch.make(None).remove()
    assert left_in(base) == [Path(held.path).parent.name]
    assert stat.S_IMODE(os.fstat(held.fd).st_mode) == 0
    assert held.remove()
    assert left_in(base) == []


def test_it_takes_no_longer_than_a_moment(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(base)
    (home_of(base) / RANDOM).mkdir()
    left = left_in(base)
    with monkeypatch.context() as patch:
        patch.setattr(scratch, "_SWEEP_S", -1.0)
        assert scratch.make(None).remove()
        assert left_in(base) == left
    assert scratch.make(None).remove()
    assert left_in(base) == []


def test_only_directories_of_runs_go(base: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("kept")
    assert scratch.make(None).remove()
    home = home_of(base)
    (home / RANDOM).symlink_to(kept)
    (home / RANDOM[::-1]).write_text("a file")
    (home / RANDOM[1:]).mkdir()
    (home / RANDOM.upper()).mkdir()
    names = left_in(base)
    assert scratch.make(None).remove()
    assert left_in(base) == names
    assert (kept / "file").read_text() == "kept"


@needs_root
def test_another_users_stays(base: Path) -> None:
    left = leave(base)
    os.chown(left, OTHER, OTHER)
    assert scratch.make(None).remove()
    assert left_in(base) == [left.name]


@pytest.mark.parametrize("how", ["locked", "removed"])
def test_a_sweep_that_is_quicker_than_the_lock(how: str, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run's sweep finds it between its making and its lock, and has it or takes it away."""
    swept: list[str] = []
    take = locks.take

    def quicker(path: str, dir_fd: int | None = None) -> int:
        if swept:
            return take(path, dir_fd)
        swept.append(path)
        other = take(path, dir_fd)
        try:
            if how == "locked":
                return take(path, dir_fd)
            os.rmdir(path, dir_fd=dir_fd)
            return os.dup(other)
        finally:
            os.close(other)

    monkeypatch.setattr(locks, "take", quicker)
    made = scratch.make(None)
    assert swept != [os.path.basename(os.path.dirname(made.path))]
    assert os.path.isdir(made.path)
    assert made.remove()
    assert left_in(base) == []


def test_a_directory_that_is_not_the_fresh_one_is_left_alone(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, put = locks.take, []

    def exchanged(path: str, dir_fd: int | None = None) -> int:
        place = home_of(base) / path
        place.rename(base / "aside")
        place.mkdir()
        (place / "file").write_text("kept")
        put.append(place)
        return take(path, dir_fd)

    monkeypatch.setattr(locks, "take", exchanged)
    with pytest.raises(SetupError, match="another directory has taken its place"):
        scratch.make(None)
    assert [(one / "file").read_text() for one in put] == ["kept"]


def test_a_name_that_leads_elsewhere_is_not_handed_on(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = scratch.open_home()
    (tmp_path / RANDOM / "tmp").mkdir(parents=True)
    monkeypatch.setattr(scratch, "open_home", lambda: home._replace(path=str(tmp_path)))
    monkeypatch.setattr(os, "urandom", lambda length: bytes.fromhex(RANDOM))
    with pytest.raises(SetupError, match="its name leads elsewhere"):
        scratch.make(None)
    assert left_in(base) == []


def test_no_other_file_system_is_swept(base: Path) -> None:
    in_mount_namespace(SWEPT, base)


def test_a_mode_is_set_on_what_is_open_and_on_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with the /proc of another PID namespace, where /proc/self/fd may be another process's."""
    (tmp_path / "other").mkdir(0o755)
    place, other = (os.open(one, os.O_PATH) for one in (tmp_path, tmp_path / "other"))
    facts = os.stat(other)
    monkeypatch.setattr(os, "stat", lambda path: facts)
    changed: list[object] = []
    monkeypatch.setattr(os, "chmod", lambda *words: changed.append(words))
    with pytest.raises(FileNotFoundError):
        removal._set_mode(place, 0o700)
    assert changed == []
    os.close(place)
    os.close(other)


def test_a_lock_is_one_holders(tmp_path: Path) -> None:
    fd = locks.take(str(tmp_path))
    with pytest.raises(BlockingIOError):
        locks.take(str(tmp_path))
    os.close(fd)
    os.close(locks.take(str(tmp_path)))
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        locks.take(str(tmp_path / "link"))


# ---- apart from guests ----


def written(path: Path | str) -> list[Written]:
    return [Written(os.path.realpath(path), os.stat(path))]


@pytest.mark.parametrize(
    ("path", "home"),
    [
        ("/var/tmp/ostoo-sandbox-0", "/var/tmp/ostoo-sandbox-0"),
        ("/var/tmp/ostoo-sandbox-1000/x/tmp", "/var/tmp/ostoo-sandbox-1000"),
        ("/run/ostoo-sandbox-0/x", "/run/ostoo-sandbox-0"),
        ("/var/tmp/ostoo-sandbox-", ""),
        ("/var/tmp/ostoo-sandbox-me/x", ""),
        ("/var/tmp/other/ostoo-sandbox-0", ""),
        ("/var/tmpostoo-sandbox-0", ""),
        ("/var/tmp", ""),
    ],
)
def test_what_lies_in_a_home(path: str, home: str) -> None:
    assert scratch.home_around(path, ["/var/tmp", "/run"]) == home


def test_a_guest_may_not_write_where_homes_are(base: Path) -> None:
    work = base / "work"
    work.mkdir()
    scratch.check_apart(written(work), None)
    for place in (base, base.parent, "/"):
        with pytest.raises(UsageError, match=rf"{place}: .*{home_of(base)}"):
            scratch.check_apart([*written(work), *written(place)], None)
    made = scratch.make(None)
    (Path(made.path) / "file").write_text("")
    for place in (made.home, os.path.dirname(made.path), made.path, f"{made.path}/file"):
        with pytest.raises(UsageError, match=place):
            scratch.check_apart(written(place), None)
    assert made.remove()


def test_a_place_with_another_name_is_the_same_place(base: Path) -> None:
    """As a bind mount is: its path says nothing. Either is enough."""
    for one in (Written("/mnt", base.stat()), Written(str(base), os.stat("/proc"))):
        with pytest.raises(UsageError):
            scratch.check_apart([one], None)


def test_a_later_base_is_anybodys_until_it_is_used(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = tmp_path / "later"
    later.mkdir()
    later.chmod(0o1777)
    monkeypatch.setattr(scratch, "bases", lambda uid: (str(base), str(later)))
    scratch.check_apart(written(later), None)
    assert home_of(base).is_dir()  # so that all runs from now on use this one
    home_of(later).mkdir(0o700)
    with pytest.raises(UsageError, match=str(home_of(later))):
        scratch.check_apart(written(later), None)


@pytest.mark.parametrize("plant", SQUATTERS[:3])
def test_a_base_that_would_be_next_is_no_guests(
    plant: Callable[[Path], None], base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = [tmp_path / name for name in ("second", "third")]
    for one in later:
        one.mkdir()
        one.chmod(0o1777)
    for one in (base, later[0]):
        plant(home_of(one))
    monkeypatch.setattr(scratch, "bases", lambda uid: (str(base), *map(str, later)))
    for place in (base, *later):
        with pytest.raises(UsageError):
            scratch.check_apart(written(place), None)


def test_what_root_keeps_for_a_guest_counts_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ordinary: int
) -> None:
    if os.getuid() == 0:
        os.seteuid(0)
    (tmp_path / "roots" / "ostoo-sandbox-0" / "x").mkdir(parents=True)
    (tmp_path / "theirs").mkdir()
    if os.getuid() == 0:
        os.seteuid(ordinary)
    monkeypatch.setattr(scratch, "bases", lambda uid: (str(tmp_path / ("theirs" if uid else "roots")),))
    with pytest.raises(UsageError, match="roots/ostoo-sandbox-0"):
        scratch.check_apart(written(tmp_path / "roots" / "ostoo-sandbox-0" / "x"), None)


@needs_root
def test_the_homes_of_who_the_guest_becomes_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("roots", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o1777)
    monkeypatch.setattr(scratch, "bases", lambda uid: (str(tmp_path / ("theirs" if uid else "roots")),))
    theirs = written(tmp_path / "theirs")
    scratch.check_apart(theirs, None)
    with pytest.raises(UsageError, match=f"theirs/ostoo-sandbox-{OTHER}"):
        scratch.check_apart(theirs, OTHER)


def test_homes_of_a_user_under_another_number(base: Path) -> None:
    """In a user namespace a user's number is another one, such as 0."""
    other = base / "ostoo-sandbox-4242"
    other.mkdir()
    place = scratch.Written(os.path.realpath(base), base.stat())
    with pytest.raises(UsageError, match="scratch directories of other runs"):
        scratch.check_apart([place], None)
    assert str(other) in list(scratch._present([str(base)], {os.geteuid()}))
    assert list(scratch._present([str(base)], {os.geteuid() + 1})) == []
    (base / "ostoo-sandbox-notes").mkdir()
    assert str(base / "ostoo-sandbox-notes") not in list(scratch._present([str(base)], {os.geteuid()}))
