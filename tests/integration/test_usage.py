"""What an outcome says was used, against what the guests themselves were told by the kernel.

The work is counted, not timed: each process of the guest does so many turns of a loop and then says how much
CPU time it has had. The bound of 5 % is on the ratio of two measures of the same work.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.conftest import HANG, command

Run = Callable[..., Any]
MIB = 1 << 20
ONES = ("alone", "waited", "ignored", "left", "orphans", "exec")


def spent(ran: Any) -> float:
    """Seconds of CPU time, as each of the processes told of itself."""
    return sum(int(line.removeprefix("spent ")) for line in ran.out.splitlines()) / 1e9


def spend(
    run: Run, guest: Callable[[str], str], shape: str, policy: str, *options: str, mib: str = "0"
) -> Any:
    places = ("--cwd", "/usr", "--exec", guest("musl/spender"))
    turns = "1500" if shape in ("alone", "exec") else "500"
    ran = run("musl/spender", shape, turns, mib, policy=policy, options=(*places, *options))
    assert ran.status == 0, ran
    return ran


@pytest.mark.parametrize("options", [(), ("--cpu", "1h")], ids=["no-limit", "limit"])
@pytest.mark.parametrize(
    ("shape", "policy"),
    [*((shape, "default") for shape in ONES), ("forked", "workspace"), ("threads", "workspace")],
)
def test_cpu_time_of_every_process_whoever_waits_for_it(
    shape: str, policy: str, options: tuple[str, ...], run: Run, guest: Callable[[str], str]
) -> None:
    ran = spend(run, guest, shape, policy, *options)
    assert ran.outcome["usage"]["cpu_s"] == pytest.approx(spent(ran), rel=0.05)


def test_cpu_time_is_not_that_of_the_callers_other_children(guest: Callable[[str], str]) -> None:
    """Children that were waited for before stay in the kernel's sum over an execve."""
    run_it = command("--exec", guest("musl/spender"), "--outcome", "/dev/stderr", "--", guest("musl/spender"))
    before = f"import os, subprocess; subprocess.run([{guest('musl/spender')!r}, 'alone', '3000'])"
    code = f"{before}; os.execv({run_it[0]!r}, {[*run_it, 'alone', '100']!r})"
    done = subprocess.run([run_it[0], "-c", code], capture_output=True, text=True, timeout=HANG, check=True)
    [first, second] = [int(line.removeprefix("spent ")) / 1e9 for line in done.stdout.splitlines()]
    [told] = [part for part in done.stderr.split(", ") if part.startswith('"cpu_s"')]
    assert second < float(told.split(": ")[1]) < first


@pytest.mark.parametrize("policy", ["default", "workspace"])
@pytest.mark.parametrize("shape", ["alone", "waited", "left", "exec"])
def test_the_most_memory_of_one_process(
    shape: str, policy: str, run: Run, guest: Callable[[str], str]
) -> None:
    ran = spend(run, guest, shape, policy, mib="80")
    assert ran.outcome["usage"]["max_rss_bytes"] == pytest.approx(80 * MIB, rel=0.05)


def test_threads_of_the_first_process_bring_no_memory_of_the_supervisors(
    run: Run, guest: Callable[[str], str]
) -> None:
    ran = spend(run, guest, "threads", "workspace")
    assert ran.outcome["usage"]["max_rss_bytes"] < 4 * MIB


@pytest.mark.parametrize(
    ("guest_name", "arguments", "policy", "processes"),
    [
        ("musl/spawn", ("30",), "default", 31),
        ("musl/fork-tree", ("31",), "workspace", 31),
        ("musl/threads-many", ("40",), "workspace", 1),
        ("musl/bomb", ("4",), "workspace", 31),
        ("musl/spender", ("orphans", "1"), "default", 9),
    ],
)
def test_processes_are_counted_exactly(
    guest_name: str,
    arguments: tuple[str, ...],
    policy: str,
    processes: int,
    run: Run,
    guest: Callable[[str], str],
) -> None:
    options = ("--cwd", "/usr", "--exec", guest(guest_name))
    ran = run(guest_name, *arguments, policy=policy, options=options)
    assert (ran.status, ran.outcome["usage"]["processes"]) == (0, processes)


def test_wall_time_lies_between_the_guests_and_the_callers(run: Run, python: str) -> None:
    text = "import time; a = time.monotonic(); sum(range(3000000)); print(time.monotonic() - a)"
    before = time.monotonic()
    ran = run(python, "-c", text, policy="default", options=("--cwd", "/usr"), env={"HOME": os.sep})
    after = time.monotonic()
    assert float(ran.out) < ran.outcome["usage"]["wall_s"] < after - before
