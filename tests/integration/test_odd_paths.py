"""Paths whose end the supervisor cannot tell while it records refusals: guests go on as without a log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("link", ["root", "cwd", "exe"])
@pytest.mark.parametrize("pid", ["1", "self"])
def test_links_of_proc(link: str, pid: str, run: Any) -> None:
    ran = run("/bin/cat", f"/proc/{pid}/{link}/x", policy="default")
    assert (ran.status, ran.outcome["status"]) == (1, "exited")


def test_a_long_chain_of_links(tmp_path: Path, run: Any) -> None:
    for nth in range(1200):
        (tmp_path / f"{nth + 1}").symlink_to(tmp_path / f"{nth}")
    ran = run("/bin/cat", f"{tmp_path}/1200", policy="default", options=("--cwd", str(tmp_path)))
    assert (ran.status, ran.outcome["status"]) == (1, "exited")


def test_a_link_that_leads_to_itself(tmp_path: Path, run: Any) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    ran = run("/bin/cat", f"{tmp_path}/loop", policy="default")
    assert (ran.status, ran.outcome["status"]) == (1, "exited")


def test_a_maze_of_links_does_not_stall_the_supervisor(tmp_path: Path, run: Any) -> None:
    """Two thousand links of a thousand names each: whoever follows them all is busy for a while."""
    winding = "d/../" * 817 + "d"
    (tmp_path / "d").mkdir()
    names = [f"L{nth}" for nth in range(2000)]
    for name in names:
        (tmp_path / name).symlink_to(winding)
    ways = [f"R{nth}" for nth in range(0, len(names), 400)]
    for nth, way in enumerate(ways):
        (tmp_path / way).symlink_to("/../".join([*names[nth * 400 :][:400], "d"]))
    (tmp_path / "top").symlink_to("/../".join([*ways, "d/x"]))
    ran = run("/bin/cat", "top", policy="default", options=("--cwd", str(tmp_path), "--timeout", "10"))
    assert (ran.status, ran.outcome["status"]) == (1, "exited"), ran.outcome
    assert "symbolic links" in ran.err
