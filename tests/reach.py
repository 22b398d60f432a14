"""What other users may reach in tests: a guest of root's is nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OURS = ("pytest-", "popen-", "test_")


def open_above(directory: Path) -> None:
    """Let every user search the directories of pytest's own that lie above one, and nobody else list them."""
    for one in directory.parents:
        if one.name.startswith(OURS) and one.stat().st_uid == os.geteuid():
            one.chmod(0o711)


def need_python_for(user: int) -> None:
    """Skip a test in which root has another user run this Python, if that user may not: as in root's home."""
    words = [sys.executable, "-I", "-S", "-c", ""]
    try:
        status = subprocess.run(words, user=user, group=user, extra_groups=[], check=False).returncode
    except PermissionError:
        status = 126
    if status:
        pytest.skip(f"user {user} cannot run {sys.executable}: set PYTHON to one outside root's home")
