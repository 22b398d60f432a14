"""Ctrl-C while a command is still loading ends it without a word."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADING = """
import os, signal, sys
from sandbox.cli import start
signal.signal(signal.SIGINT, {before})
with start._silent():
    os.kill(os.getpid(), signal.SIGINT)
    print("loaded")
assert signal.getsignal(signal.SIGINT) is {before}
"""


@pytest.mark.parametrize(
    ("before", "status", "says"), [("signal.default_int_handler", -2, ""), ("signal.SIG_IGN", 0, "loaded\n")]
)
def test_an_early_interrupt(before: str, status: int, says: str) -> None:
    code = LOADING.format(before=before)
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (status, says, "")


@pytest.mark.parametrize("name", ["run_untrusted_binary", "sandboxctl"])
def test_the_console_scripts(name: str) -> None:
    code = (
        f"import sys; sys.argv[1:] = ['--version']; from sandbox.cli.start import {name}; sys.exit({name}())"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(name.replace("_", "-"))
