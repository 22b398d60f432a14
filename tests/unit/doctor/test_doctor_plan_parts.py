"""The parts of a plan that need no guest: counts of calls, limits, paths."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import pytest

from sandbox.doctor.limits import limit_lines
from sandbox.doctor.listing import field, paths
from sandbox.doctor.tally import Tally, tally
from sandbox.launch.places import Places
from sandbox.policy.load import load, loads, shipped
from sandbox.policy.model import Limits, Policy, Process
from sandbox.syscalls.table import NUMBERS

POLICY = """
schema = 1
name = "small"
unlisted = "kill"
[calls]
allow = ["read", "write", "close", "lseek"]
refuse = { ENOTTY = ["ioctl"] }
[[rule]]
id = "low"
call = "lseek"
when = { whence = { lt = 2 } }
verdict = "EPERM"
"""


def test_calls_are_counted_by_who_decides() -> None:
    policy = loads(POLICY)
    # The constant answer to ioctl is the filter's; `kill` is the supervisor's, who records it.
    assert tally(policy, frozenset()) == Tally(3, 1, len(NUMBERS) - 5, 1)
    watched = frozenset({NUMBERS["close"]})
    assert tally(policy, watched) == Tally(2, 1, len(NUMBERS) - 4, 1)
    assert tally(policy, watched, record_all=True) == Tally(supervised=len(NUMBERS))


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_call_is_counted_once(name: str) -> None:
    assert sum(tally(load(name), frozenset())) == len(NUMBERS)


def limited(processes: int | None = None, **limits: Any) -> Policy:
    return loads(POLICY)._replace(limits=Limits()._replace(**limits), process=Process(max=processes))


def lines(policy: Policy) -> dict[str, str]:
    texts = (line.removeprefix("limit").strip().partition(": ") for line in limit_lines(policy))
    return {name: text for name, _, text in texts}


def test_no_limits() -> None:
    found = lines(limited())
    assert found.pop("core dumps") == "off, by the kernel (RLIMIT_CORE)"
    assert set(found.values()) == {"none"}
    assert set(found) == {one.replace("_", "-") for one in Limits._fields} | {"processes"}


def test_a_cgroup_keeps_the_limit_on_memory() -> None:
    [line] = [one for one in limit_lines(limited(memory=4096), cgroup=True) if "memory" in one]
    assert "4096 bytes of all processes together, by the kernel (cgroup)" in line


@pytest.mark.parametrize(
    ("name", "policy", "words"),
    [
        ("wall", limited(wall=1.5), ("1.5 s", "supervisor")),
        ("cpu", limited(cpu=2), ("2 s", "supervisor")),
        ("memory", limited(memory=4096), ("4096 bytes", "50 ms")),
        ("processes", limited(processes=3), ("3 alive", "supervisor")),
        ("file-size", limited(file_size=512), ("512 bytes", "RLIMIT_FSIZE")),
        ("audit-size", limited(audit_size=70), ("70 bytes", "supervisor")),
        ("open-files", limited(open_files=8), ("8 a process", "RLIMIT_NOFILE")),
    ],
)
def test_a_limit_says_who_keeps_it(name: str, policy: Policy, words: tuple[str, ...]) -> None:
    text = lines(policy)[name]
    assert all(word in text for word in words)
    assert "our own limit" not in text


def test_a_limit_above_our_own_is_told() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    text = lines(limited(open_files=hard + 1))["open-files"]
    assert text.startswith(f"{hard} a process")
    assert f"not {hard + 1}: our own limit is lower" in text


@pytest.mark.parametrize(
    ("terminals", "words"),
    [
        ((), "counted by a process in between"),
        ((1,), "but not what goes to a terminal"),
        ((2,), "but not what goes to a terminal"),
        ((1, 2), "not enforced: output is a terminal"),
    ],
)
def test_output_to_a_terminal_is_not_counted(
    terminals: tuple[int, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "isatty", lambda fd: fd in terminals)
    assert lines(limited(output=100))["output"].endswith(words)


def test_paths_that_are_not_there_are_marked(tmp_path: Path) -> None:
    given = [str(tmp_path), "/no/such", "${cwd}", "${cwd}/new", "${program}/x", "${scratch}", str(tmp_path)]
    (tmp_path / "there").mkdir()
    with Places(str(tmp_path / "there")) as places:
        shown = " ".join(" ".join(paths("read", given, places)).split())
    there = f"{tmp_path}/there"
    assert shown == (
        f"read {tmp_path}, /no/such (does not exist), {there}, {there}/new (does not exist), ${{scratch}}"
    )


def test_an_empty_list_allows_nothing() -> None:
    with Places() as places:
        assert list(paths("write", [], places)) == [field("  write", "nothing")]


def test_hostile_paths_stay_on_their_line() -> None:
    with Places() as places:
        assert all(line.isprintable() for line in paths("exec", ["/\x1b[2J\n", "/\u202e"], places))
