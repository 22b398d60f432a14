"""Looking at the image of a task that is gone, and where there is no /proc to look in."""

from __future__ import annotations

import os

import pytest

from sandbox.errors import InternalError
from sandbox.supervisor import images

GONE = 0x7FFF_FFFE  # above the largest pid there can be


def test_ourselves() -> None:
    assert images.inspect(os.getpid()).native


def test_a_task_that_is_gone() -> None:
    with pytest.raises(ProcessLookupError):
        images.inspect(GONE)


def test_without_proc_the_run_ends_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "exists", lambda path: path != "/proc/self")
    with pytest.raises(InternalError, match="/proc is not mounted"):
        images.inspect(GONE)
