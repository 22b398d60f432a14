"""One run as it is asked for: what to start, under which policy, and what is checked before it is begun."""

from __future__ import annotations

import os
from typing import Any, Literal, NamedTuple

from sandbox.errors import UsageError
from sandbox.launch import confine, identity, namespaces, scratch
from sandbox.launch.places import Given, Places
from sandbox.output_file import OutputFile
from sandbox.policy.model import Limits, Policy

_LIMITS = ("wall", "cpu", "memory", "processes", "output", "file-size", "open-files", "audit-size")
WAIVERS = (*_LIMITS, "landlock", "root")
"""What a caller may waive for a run, by name and for a reason."""


class Request(NamedTuple):
    """One run: what to start and under which policy. Strings may hold surrogate-escaped bytes."""

    argv: tuple[str, ...]
    policy: Policy
    cwd: str | None = None
    env: tuple[str, ...] = ()
    waivers: tuple[str, ...] = ()
    closed: frozenset[int] = frozenset()
    level: Literal["decisions", "all"] = "decisions"
    user: str | None = None
    given: tuple[Given, ...] = ()

    def places(self) -> Places:
        """What its paths lead to, opened now; close it when the run is over.

        Raises UsageError, and SetupError without a /proc of ours, which tells what a descriptor is.
        """
        namespaces.check_proc()
        return Places(self.cwd, self.given)


def effective(policy: Policy, **changes: Any) -> Policy:
    """The policy with limits or `[process]` values replaced, as options of a run ask for."""
    limits = {name: changes[name] for name in Limits._fields if changes.get(name) is not None}
    process = {name: changes[name] for name in ("vfork", "max") if changes.get(name) is not None}
    return policy._replace(
        limits=policy.limits._replace(**limits), process=policy.process._replace(**process)
    )


def missing_stdio() -> frozenset[int]:
    """Descriptors 0 to 2 that the caller closed: kept busy here, closed in the guest."""
    missing = set()
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            missing.add(fd)
    return frozenset(missing)


def check_places(
    request: Request, places: Places, audit: OutputFile | None, outcome: OutputFile | None = None
) -> None:
    """Raises UsageError where the guest could write the run's log or outcome, or both are one file."""
    confine.check_kept_from(request.policy.files, places, (("--audit", audit), ("--outcome", outcome)))
    if audit is not None and outcome is not None and audit.is_same(outcome):
        raise UsageError(f"--audit and --outcome are the same file: {outcome.path}")


def check_guest(request: Request, places: Places) -> None:
    """Raises UsageError for a `--user` that the guest cannot become, and if it could write where scratch
    directories of other runs are."""
    waived = (*(one.name for one in request.policy.waivers), *request.waivers)
    user = identity.choose(request.user, keep_root="root" in waived)
    scratch.check_apart(confine.written(request.policy.files, places), None if user is None else user[0])
