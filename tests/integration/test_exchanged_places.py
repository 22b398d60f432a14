"""Names that are exchanged for links while a run begins: each is looked at once."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import HANG, command
from tests.integration.races import TRIES, exchanged


class Ground:
    """A directory of the run's, with a program, and a secret that only links beside them lead to."""

    def __init__(self, top: Path) -> None:
        self.place, self.secret = top / "place", top / "secret"
        self.data = top / "data"
        for directory in (self.place, self.secret, self.data):
            directory.mkdir()
        (self.secret / "file").write_text("the secret\n")
        (self.data / "file").write_text("data\n")
        for name in ("cat", "prog"):
            shutil.copy("/bin/cat", self.place / name)
        for name in ("place", "data"):
            (top / f"{name}-link").symlink_to(self.secret)
        (self.place / "prog-link").symlink_to(self.secret)

    def attempt(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command(*words), str(self.secret / "file")],
            cwd=self.place, capture_output=True, text=True, timeout=HANG, check=False,
        )  # fmt: skip


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def ways(ground: Ground) -> dict[str, tuple[tuple[Path, Path], tuple[str, ...]]]:
    """The name that is exchanged, and the options of a run that names it."""
    top = ground.place.parent
    data, place = (ground.data, top / "data-link"), (ground.place, top / "place-link")
    return {
        "program": ((ground.place / "prog", ground.place / "prog-link"), ("--", "./prog")),
        "read": (data, ("--read", str(ground.data), "--", "./cat")),
        "write": (data, ("--write", str(ground.data), "--", "./cat")),
        "cwd": (data, ("--cwd", str(ground.data), "--exec", str(ground.place), "--", "/bin/cat")),
        "inherited": (place, ("--", "/bin/cat")),
    }


WAYS = ("program", "read", "write", "cwd", "inherited")


@pytest.mark.race
@pytest.mark.parametrize("way", WAYS)
def test_what_is_exchanged_meanwhile_opens_nothing_but_what_was_found(ground: Ground, way: str) -> None:
    pair, words = ways(ground)[way]
    seen: list[str] = []
    log = ground.place.parent / "log.jsonl"
    with exchanged(pair):
        for _ in range(TRIES):
            log.unlink(missing_ok=True)
            done = ground.attempt("-p", "default", "--audit", str(log), *words)
            named = f'"{ground.secret}"' in log.read_text().partition("\n")[0] if log.exists() else False
            # A name that was the link at the one look leads to the secret; then the log says so.
            if "the secret" in done.stdout and not named:
                seen.append(done.stdout + done.stderr)
    assert not seen
