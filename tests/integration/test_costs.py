"""What a run may cost: stops per call, and nothing that grows with the number of spawns."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

# A ptrace stop is a voluntary context switch of the guest: getrusage(2) counts them for it.
COUNT = """
import os, resource, sys
def switches(): return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
def one():
    {one}
one()
before = switches()
for _ in range(1000): one()
print(switches() - before)
"""
REFUSED = "try: os.chmod('/', 0)\n    except OSError: pass"


def stops_of_1000(run: Any, python: str, one: str) -> int:
    ran = run(python, "-I", "-S", "-c", COUNT.format(one=one), policy="default")
    assert ran.status == 0, ran.err
    return int(ran.out)


@pytest.mark.parametrize("one", ["os.getppid()", "os.stat('/')", "os.sched_yield()"])
def test_an_unsupervised_call_does_not_stop(one: str, run: Any, python: str) -> None:
    assert stops_of_1000(run, python, one) < 10


def test_a_refused_call_stops_once(run: Any, python: str) -> None:
    assert 1000 <= stops_of_1000(run, python, REFUSED) < 1010


def test_stops_are_served_in_turn(run: Any) -> None:
    """Twelve children that do nothing but stop, and an older one with 500 calls to make."""
    victim = ("--env", f"ATTACK_VICTIM={os.getpid()}")
    ran = run("attacks/starve-supervisor", policy="default", options=victim)
    assert ran.status == 0, ran.out
    stops: Counter[int] = Counter()
    for call in ran.calls("kill"):
        stops[call["pid"]] += call.get("repeats", 1)
    [older] = [image["pid"] for image in ran.events("exec") if image["argv"][1:] == ["measured"]]
    assert stops[older] == 500
    assert max(stops.values()) < 4 * stops[older]


def peak_of(program: str, count: int) -> int:
    words = [sys.executable, "-P", "-c", "import sys; from sandbox.cli.run import main; sys.exit(main())"]
    process = subprocess.Popen([*words, "-p", "ostoo", "--audit", "/dev/null", "--", program, str(count)])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


def test_memory_does_not_grow_with_spawns(guest: Callable[[str], str]) -> None:
    assert peak_of(guest("musl/spawn"), 10_000) - peak_of(guest("musl/spawn"), 1_000) < 1 << 20


def test_no_zombie_and_no_descriptor_is_left(guest: Callable[[str], str]) -> None:
    code = (
        "import os, sandbox, subprocess\n"
        "before = len(os.listdir('/proc/self/fd'))\n"
        f"assert sandbox.run(['{guest('musl/spawn')}', '300'], policy='ostoo').status == 'ok'\n"
        "assert len(os.listdir('/proc/self/fd')) == before\n"
        "assert not open('/proc/self/task/%d/children' % os.getpid()).read()\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)
