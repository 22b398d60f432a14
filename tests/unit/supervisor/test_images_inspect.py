"""Looking at the image of a task that is gone, and in a /proc that does not show it."""

from __future__ import annotations

import os

import pytest

from sandbox._kernel import calls
from sandbox.errors import InternalError
from sandbox.supervisor import images

GONE = 0x7FFF_FFFE  # above the largest pid there can be


def test_ourselves() -> None:
    with images.inspect(os.getpid()) as image:
        facts = os.stat("/proc/self/exe")
        assert (image.native, image.identity) == (True, (facts.st_dev, facts.st_ino))
        assert image.facts() is not None


def test_a_task_that_is_gone() -> None:
    with pytest.raises(ProcessLookupError):
        images.inspect(GONE)


def test_a_task_that_proc_does_not_show_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing could let it go on, nor will it end by itself."""
    monkeypatch.setattr(calls, "registers", lambda pid: None)
    with pytest.raises(InternalError, match="cannot be seen"):
        images.inspect(GONE)
