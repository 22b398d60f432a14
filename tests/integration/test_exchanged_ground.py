"""The directories of `sandboxctl attack` and `conform`, where a run of the same user may write, too.

RACE_TRIES=300 in the environment makes as many tries of each race; 20 are made without it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.attack.ground import Ground as AttackGround
from sandbox.attack.victim import Victim
from sandbox.conformance.ground import Ground as ProberGround
from sandbox.errors import SetupError
from sandbox.launch import scratch

TRIES = int(os.environ.get("RACE_TRIES", "20"))
HANG = 120
SWAPPER = Path(__file__).with_name("swapper.py")


def attack() -> None:
    with AttackGround("token") as ground:
        ground.remember()
        assert ground.damage() == []


def conform() -> None:
    with ProberGround():
        pass


@pytest.mark.parametrize("use", [attack, conform])
def test_links_in_place_of_its_directories(
    use: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their target keeps its mode and its files, and gets none."""
    place, target = tmp_path / "place", tmp_path / "target"
    place.mkdir()
    target.mkdir(0o700)
    (target / "canary").write_text("unchanged")
    before = target.stat()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    words = [sys.executable, "-I", "-S", str(SWAPPER), str(place), str(target)]
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
    assert [one.name for one in target.iterdir()] == ["canary"]
    assert (target / "canary").read_text() == "unchanged"
    after = target.stat()
    assert (stat.S_IMODE(after.st_mode), after.st_mtime_ns) == (0o700, before.st_mtime_ns)
    assert any(one.is_symlink() for one in place.rglob("*"))  # it did come between


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


def test_they_are_no_scratch_directories() -> None:
    """A run that may write there would be refused."""
    with AttackGround("token") as ground, ProberGround() as prober:
        for path in (ground.work, prober.work):
            assert not scratch.home_around(path, scratch.bases(os.geteuid()))
