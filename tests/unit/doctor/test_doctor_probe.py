"""Children that try things: their answers come back, and they leave nothing behind."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from sandbox._kernel import calls, probe
from sandbox._kernel.probe import Answer


def refused() -> NoReturn:
    raise OSError(errno.EPERM, "no")


def broken() -> NoReturn:
    raise ValueError("not an answer")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        (lambda: [1, "two", None], Answer([1, "two", None])),
        (lambda: "x" * 100_000, Answer("x" * 100_000)),
        (refused, Answer(errno.EPERM)),
        (broken, Answer(None)),
        (killed, Answer(None, signal.SIGKILL)),
    ],
    ids=["value", "long", "errno", "exception", "killed"],
)
def test_what_a_child_says(function: Callable[[], Any], answer: Answer) -> None:
    before = set(os.listdir("/proc/self/fd"))
    children = calls.children()
    assert probe.in_child(function) == answer
    assert set(os.listdir("/proc/self/fd")) == before
    assert calls.children() == children


def test_nothing_happens_to_the_caller() -> None:
    def facts() -> list[str | None]:
        with open("/proc/self/status", encoding="ascii") as file:
            fields = dict(line.rstrip("\n").split(":", 1) for line in file)
        names = ("Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "CapEff", "SigBlk", "SigIgn", "SigCgt")
        links = [os.readlink(f"/proc/self/ns/{one}") for one in ("user", "net")]
        return [*map(fields.get, names), *links]

    before = facts()
    probe.no_new_privs()
    probe.seccomp()
    probe.become_nobody()
    probe.namespaces(None)
    probe.namespaces((b"%d %d 1" % ((os.geteuid(),) * 2), b"%d %d 1" % ((os.getegid(),) * 2)))
    probe.ia32()
    probe.x32()
    probe.traced()
    assert facts() == before
