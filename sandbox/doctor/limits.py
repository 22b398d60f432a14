"""Limits in words: each with its value, and who keeps it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sandbox.doctor.listing import field
from sandbox.launch.program import RLIMIT_FSIZE, RLIMIT_NOFILE, limits
from sandbox.policy.model import Policy

_SUPERVISED = {
    "wall": "{:g} s, by the supervisor's clock",
    "cpu": "{:g} s of all processes together, by the supervisor (exact at each process's end)",
    "memory": "{} bytes of all processes together, by the supervisor, which looks every 50 ms or sooner",
}
_BY_CGROUP = "{} bytes of all processes together, by the kernel (cgroup), and by the supervisor every 50 ms"

_KERNEL = {
    "file_size": (RLIMIT_FSIZE, "{} bytes a file, by the kernel (RLIMIT_FSIZE)"),
    "open_files": (RLIMIT_NOFILE, "{} a process, by the kernel (RLIMIT_NOFILE)"),
}


def limit_lines(policy: Policy, *, cgroup: bool = False) -> Iterator[str]:
    """A line for each limit of the policy, and for core dumps, which are always off. `cgroup`: whether there
    is one for the limit on memory."""
    given = policy.limits._asdict()
    supervised = _SUPERVISED | ({"memory": _BY_CGROUP} if cgroup else {})
    for name, text in supervised.items():
        yield _line(name, "none" if given[name] is None else text.format(given[name]))
    yield _line("processes", _processes(policy.process.max))
    yield _line("output", _output(policy.limits.output))
    yield _line("audit-size", _audit(policy.limits.audit_size))
    real = {which: soft for which, soft, _ in limits(policy)}
    for name, (which, text) in _KERNEL.items():
        if given[name] is None:
            yield _line(name, "none")
            continue
        less = f" (not {given[name]}: our own limit is lower)" if real[which] < given[name] else ""
        yield _line(name, text.format(real[which]) + less)
    yield _line("core dumps", "off, by the kernel (RLIMIT_CORE)")


def _line(name: str, text: str) -> str:
    return field("limit", f"{name.replace('_', '-')}: {text}")


def _processes(most: int | None) -> str:
    return "none" if most is None else f"{most} alive at once, threads among them, counted by the supervisor"


def _audit(most: int | None) -> str:
    return "none" if most is None else f"{most} bytes of log, counted by the supervisor"


def _output(most: int | None) -> str:
    if most is None:
        return "none"
    terminals = [fd for fd in (1, 2) if os.isatty(fd)]
    if len(terminals) == 2:
        return f"{most} bytes, not enforced: output is a terminal"
    partial = ", but not what goes to a terminal" if terminals else ""
    return f"{most} bytes, counted by a process in between{partial}"
