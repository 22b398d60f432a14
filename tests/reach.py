"""Directories of tests that other users may pass through: a guest of root's is nobody."""

from __future__ import annotations

import os
from pathlib import Path

OURS = ("pytest-", "popen-", "test_")


def open_above(directory: Path) -> None:
    """Let every user search the directories of pytest's own that lie above one, and nobody else list them."""
    for one in directory.parents:
        if one.name.startswith(OURS) and one.stat().st_uid == os.geteuid():
            one.chmod(0o711)
