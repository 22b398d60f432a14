"""What the log says of programs that a guest has made itself: hashed only where that is soon done."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from sandbox.elf import MAX_HASHED_OF_GUEST

MAKE = """
import os, shutil, sys
path = os.environ["TMPDIR"] + "/made"
shutil.copy(sys.argv[1], path)
os.truncate(path, max(int(sys.argv[2]), os.path.getsize(path)))
os.chmod(path, 0o700)
for _ in range(3):
    assert os.spawnv(os.P_WAIT, path, [path, "exit", "7"]) == 7
"""


@pytest.mark.parametrize("size", [0, MAX_HASHED_OF_GUEST, MAX_HASHED_OF_GUEST + 1, 1 << 40])
def test_what_a_guest_executes(size: int, run: Any, guest: Any, python: str) -> None:
    program = Path(guest("musl/exit-codes"))
    where = ("--exec", str(program.parent))
    ran = run(python, "-c", MAKE, str(program), str(size), policy="workspace", options=where)
    assert (ran.status, ran.err) == (0, "")
    data = program.read_bytes()
    hashed = None
    if size <= MAX_HASHED_OF_GUEST:
        hashed = hashlib.sha256(data.ljust(size, b"\0")).hexdigest()
    made = [record["elf"]["sha256"] for record in ran.events("exec") if record["path"].endswith("/made")]
    assert made == [hashed] * 3
