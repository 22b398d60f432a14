"""How often races are tried, and a process that exchanges names while they are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TRIES = int(os.environ.get("RACE_TRIES", "20"))

# Exchanges pairs of names (renameat2(2), RENAME_EXCHANGE) until its standard input ends.
SWAPPER = """
import ctypes, os, select, sys
libc = ctypes.CDLL(None, use_errno=True)
pairs = [tuple(os.fsencode(one) for one in pair.split("=")) for pair in sys.argv[1:]]
print("ready", flush=True)
while not select.select([0], [], [], 0)[0]:
    for one, other in pairs:
        libc.renameat2(-100, one, -100, other, 2)
"""


@contextmanager
def exchanged(*pairs: tuple[Path, Path]) -> Iterator[None]:
    words = [f"{one}={other}" for one, other in pairs]
    with subprocess.Popen(
        [sys.executable, "-I", "-c", SWAPPER, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            process.stdin.close()
