"""Options for a shell: one word each, nothing for a terminal in it, the same path when a shell reads it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.rules.options import option, quoted

NAMES = [
    "/etc/gai.conf",
    "/a b",
    "/it's",
    '/"x"',
    "/$HOME",
    "/`id`",
    "/a;b|c&d",
    "/ü",
    "/*",
    "/back\\slash",
    "/~",
    "",
]
ODD = ["/new\nline", "/\x1b[2J", "/tab\t'q'\\", "/\x7f", "/\u202eright", "/\udcff\udc80", "/\u00a0", "/\x011"]


@pytest.mark.parametrize("name", NAMES)
def test_as_shlex_quotes(name: str) -> None:
    assert shlex.split(quoted(name)) == [name]
    if name.isascii():
        assert quoted(name) == shlex.quote(name)


@given(st.binary(max_size=20))
def test_nothing_for_a_terminal(name: bytes) -> None:
    assert quoted(os.fsdecode(name)).isprintable()


@pytest.mark.parametrize("name", [*NAMES, *ODD])
def test_as_bash_reads_it(name: str) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    done = subprocess.run([bash, "-c", f"printf %s {quoted(name)}"], capture_output=True, check=True)
    assert done.stdout == os.fsencode(name)


def test_an_option() -> None:
    assert option("read", "/a b") == "--read '/a b'"
