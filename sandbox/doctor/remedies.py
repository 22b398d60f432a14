"""Words that several remedies have in common."""

from __future__ import annotations

import errno
import os

from sandbox._kernel.probe import DIED

EPERM = errno.EPERM
FILTER = "docker run --security-opt seccomp=profile.json"


def error_text(error: int) -> str:
    """`EPERM (Operation not permitted)`; `fine` for 0."""
    if error == 0:
        return "fine"
    if error == DIED:
        return "the child that tried it was killed"
    return f"{errno.errorcode.get(error, error)} ({os.strerror(error)})"


def kernel(version: str) -> str:
    """Use a newer kernel."""
    return f"use Linux {version} or later"


def through_filter(calls: str) -> list[str]:
    """The remedy where a container's or a service manager's filter refuses calls."""
    return [
        f"in a container: {FILTER} with a profile that allows {calls} (seccomp=unconfined allows everything)"
    ]
