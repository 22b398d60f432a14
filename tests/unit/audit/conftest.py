"""A whole log, as the writer makes it, for the tests of what reads logs."""

from __future__ import annotations

from itertools import count

import pytest

from sandbox.audit.sinks import LineSink
from sandbox.audit.writer import AuditLog
from sandbox.outcome import Outcome, Usage

REGS = {"rip": "0x401000", "rsp": "0x7ffd0000", "rax": "0x0", "r9": "0x1", "eflags": "0x246"}


class Lines(LineSink):
    """Keeps the lines it is given."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def write_line(self, line: bytes) -> None:
        self.kept.append(line)

    def close(self) -> None:
        pass


def write_sample(log: AuditLog) -> None:
    log.emit(
        "start",
        time="2030-01-01T00:00:00Z",
        argv=["./spawn", "x"],
        cwd="/",
        policy={"name": "ostoo", "sha256": "0" * 64},
        kernel="6.1",
        enforcement={"seccomp": "full"},
        elf=None,
        level="decisions",
    )
    flags = "CLONE_VM|CLONE_VFORK|SIGCHLD"
    clone = {"nr": 56, "call": "clone", "args": {"flags": flags, "child_stack": "0x7ffd0000"}}
    log.emit("call", pid=7, tid=7, **clone, verdict="allow", rule="clone-spawn")
    log.emit("child", pid=7, child=8, kind="spawn", flags=flags, parent_regs=REGS, child_regs=REGS)
    log.emit("vfork-block", pid=7, child=8)
    log.emit("exec", pid=8, path="/bin/true", argv=["true"], elf=None)
    log.emit("vfork-release", pid=7, child=8, cause="exec", blocked_ns=812_345)
    log.emit(
        "call", pid=8, tid=9, nr=57, call="fork", args={}, verdict="refuse", errno="ENOSYS", rule="unlisted"
    )
    log.emit("signal", pid=8, signal="SIGTERM", **{"from": 7})
    log.emit("exit", pid=8, signal="SIGTERM", usage={"cpu_s": 0.25})
    log.emit("limit", which="wall", value=60)
    log.emit("exit", pid=7, code=0, usage=None)
    outcome = Outcome("ok", "exited", exit_code=0, usage=Usage(wall_s=0.5, processes=2))
    log.end(outcome, {"clone": {"allow": 1}, "fork": {"refuse": 1}})


@pytest.fixture
def sample() -> list[bytes]:
    """The lines of a complete log, newlines included; record number n has t = n * 1 ms."""
    sink = Lines()
    write_sample(AuditLog([sink], clock=count(0, 1_000_000).__next__))
    return sink.kept
