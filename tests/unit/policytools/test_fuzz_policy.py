"""The fuzzer of policies runs, says so, and tells of what it finds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FUZZER = Path(__file__).resolve().parents[2] / "fuzz" / "fuzz_policy.py"


def test_a_short_run_finds_nothing() -> None:
    done = subprocess.run(
        [sys.executable, str(FUZZER), "2", "11"], capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"[1-9][0-9]* inputs, nothing found\n", done.stdout)


def test_a_fault_is_found() -> None:
    """A decision that doesn't look at the upper word of an argument differs from the filter."""
    broken = (
        "import sys; from sandbox.policy.model import Condition as C; holds = C.holds; "
        "C.holds = lambda self, call: holds(self._replace(mask=self.mask & 0xffffffff), call); "
        f"import runpy; sys.argv = ['fuzz', '60', '1']; runpy.run_path({str(FUZZER)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", broken], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 1
    assert re.search(r"input [0-9]+ of seed 1:", done.stderr)
