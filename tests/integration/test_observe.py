"""`observe` records every system call with its result, as strace sees them."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest

LINE = re.compile(r"^(?:\[pid +\d+\] |\d+ +)?([a-z0-9_]+)\(.*\)\s+= (0x[0-9a-f]+|-?\d+|\?)", re.MULTILINE)


def strace(*program: str) -> list[tuple[str, str]]:
    """(call, result) of each line strace prints, without the execve that starts the program."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    done = subprocess.run(["strace", "-X", "raw", *program], capture_output=True, text=True, check=True)
    return LINE.findall(done.stderr)[1:]


def signed(text: str) -> int:
    value = int(text, 0)
    return value - (1 << 64) if value >> 63 else value


@pytest.mark.parametrize("program", [("/bin/true",), ("/bin/echo", "text"), ("/bin/cat", "/dev/null")])
def test_the_same_calls_as_strace_sees(program: tuple[str, ...], run: Any) -> None:
    expected = strace(*program)
    ran = run(*program, policy="observe")
    seen = [(record["call"], record.get("ret")) for record in ran.events("call")]
    assert [name for name, _ in seen] == [name for name, _ in expected]
    assert seen[-1] == ("exit_group", None)
    # Addresses differ from run to run; small results do not.
    for (name, mine), (_, theirs) in zip(seen, expected, strict=True):
        if theirs != "?" and 0 <= signed(theirs) < 1 << 16 and name not in ("getpid", "set_tid_address"):
            assert mine == signed(theirs), name


def test_level_all_records_what_the_filter_answers_too(run: Any) -> None:
    ran = run("musl/spawn", policy="ostoo", options=("--audit-level", "all"))
    assert ran.status == 0
    quiet = run("musl/spawn", policy="ostoo")
    names, fewer = ({record["call"] for record in one.events("call")} for one in (ran, quiet))
    assert fewer < names
    assert {"write", "rt_sigprocmask", "exit_group"} <= names
    assert all("ret" in record for record in ran.calls("write"))


def test_threads_and_forks_are_recorded(run: Any) -> None:
    for guest, kind in (("glibc/threads-many", "thread"), ("glibc/fork-tree", "fork")):
        ran = run(guest, policy="observe")
        assert ran.status == 0
        assert {record["kind"] for record in ran.events("child")} == {kind}
        made = {record["child"] for record in ran.events("child")}
        assert made <= {record.get("tid", record["pid"]) for record in ran.events("exit")}


def test_every_weakening_is_in_the_outcome(run: Any) -> None:
    ran = run("/bin/true", policy="observe")
    assert {"ptrace", "network", "files-anywhere"} <= set(ran.outcome["waivers"])
