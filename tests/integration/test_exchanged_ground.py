"""The directories of `sandboxctl attack` and `conform`, where a run of the same user may write, too.

RACE_TRIES=300 in the environment makes as many tries of each race; 20 are made without it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from sandbox.attack import execute, programs
from sandbox.attack.ground import Ground as AttackGround
from sandbox.attack.victim import Victim
from sandbox.conformance.ground import Ground as ProberGround
from sandbox.errors import SetupError
from sandbox.launch import scratch
from tests.integration import swapper

TRIES = int(os.environ.get("RACE_TRIES", "20"))


def attack() -> None:
    with AttackGround("token") as ground:
        ground.remember()
        assert ground.damage() == []


def conform() -> None:
    with ProberGround():
        pass


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the directories are made."""
    made = tmp_path / "place"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    return made


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    """What links lead to: it keeps its mode and its files, and gets none."""
    made = tmp_path / "target"
    made.mkdir(0o700)
    (made / "canary").write_text("unchanged")
    before = made.stat()
    yield made
    assert [one.name for one in made.iterdir()] == ["canary"]
    assert (made / "canary").read_text() == "unchanged"
    after = made.stat()
    assert (stat.S_IMODE(after.st_mode), after.st_mtime_ns) == (0o700, before.st_mtime_ns)


def used(use: Callable[[], None], at: int, exchange: Callable[[], None]) -> bool:
    """Use a ground and make an exchange when its C call of this number returns; True if it made so many."""
    calls = 0

    def count(frame: FrameType, event: str, function: object) -> None:
        nonlocal calls
        if event in ("c_return", "c_exception"):
            calls += 1
            if calls == at:
                exchange()

    sys.setprofile(count)
    try:
        use()
    except (SetupError, OSError):
        pass
    finally:
        sys.setprofile(None)
    return calls >= at


@pytest.mark.parametrize("use", [attack, conform])
def test_links_in_place_of_its_directories_at_each_moment(
    use: Callable[[], None], place: Path, target: Path
) -> None:
    exchanged = 0

    def exchange() -> None:
        nonlocal exchanged
        swapper.swap(str(place), str(target), {str(place)})
        exchanged += any(one.is_symlink() for one in place.rglob("*"))

    at = 1
    while used(use, at, exchange):
        shutil.rmtree(place)
        place.mkdir()
        at += 1
    assert exchanged >= 20


@pytest.mark.parametrize("use", [attack, conform])
def test_a_neighbour_who_exchanges_them_all_the_while(
    use: Callable[[], None], place: Path, target: Path
) -> None:
    words = [sys.executable, "-I", "-S", swapper.__file__, str(place), str(target)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as neighbour:
        try:
            assert neighbour.stdout is not None
            assert neighbour.stdout.readline() == "ready\n"
            for _ in range(TRIES):
                with contextlib.suppress(SetupError, OSError):
                    use()
            assert neighbour.poll() is None
        finally:
            neighbour.kill()


def test_the_victims_sockets_are_where_the_directory_is(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "socket").write_text("unchanged")
    (target / "socket").chmod(0o600)
    with AttackGround("token") as ground:
        aside = Path(ground.outside).rename(tmp_path / "aside")
        Path(ground.outside).symlink_to(target)
        with Victim(ground.outside_here, "token") as victim:
            assert victim.environment()["ATTACK_SOCKET_PATH"] == str(aside / "socket")
            for name in ("socket", "socket.dgram"):
                mode = (aside / name).stat().st_mode
                assert stat.S_ISSOCK(mode)
                assert stat.S_IMODE(mode) == 0o777
        Path(ground.outside).unlink()
        aside.rename(ground.outside)
    assert [one.name for one in target.iterdir()] == ["socket"]
    assert stat.S_IMODE((target / "socket").stat().st_mode) == 0o600


def test_a_run_begins_where_the_directory_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it begins a guest of `workspace` may write."""
    with tempfile.TemporaryDirectory(dir="/tmp") as top:  # root's guests do not reach pytest's own
        Path(top).chmod(0o755)
        target = Path(top, "target")
        target.mkdir()
        target.chmod(0o777)
        before = target.stat().st_mtime_ns
        real = AttackGround.add

        def add(ground: AttackGround, source: str) -> str:
            Path(ground.work).rename(Path(top, "aside"))
            Path(ground.work).symlink_to(target)
            return real(ground, source)

        monkeypatch.setattr(AttackGround, "add", add)
        [writes] = programs.select(programs.find(), ["exec-look"])
        assert execute.under(writes, "workspace").state == "contained"
        assert target.stat().st_mtime_ns == before
        assert list(target.iterdir()) == []


def test_they_are_no_scratch_directories() -> None:
    """A run that may write there would be refused."""
    with AttackGround("token") as ground, ProberGround() as prober:
        for path in (ground.work, prober.work):
            assert not scratch.home_around(path, scratch.bases(os.geteuid()))
