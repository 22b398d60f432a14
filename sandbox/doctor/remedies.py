"""Words that several remedies have in common."""

from __future__ import annotations

import errno
import os

from sandbox._kernel.probe import DIED
from sandbox.launch import cgroup

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


def delegation(memory: str, container: str, uid: int, command: str) -> tuple[str, ...]:
    """What lets the kernel keep the limit on memory, where `memory` (a run's `enforcement`) says why it does
    not; `command` is what to run in the way that is told."""
    if memory.endswith(cgroup.NOT_MOUNTED):
        return ("mount -t cgroup2 none /sys/fs/cgroup, or boot with systemd.unified_cgroup_hierarchy=1",)
    found = []
    if memory.endswith(cgroup.NO_CONTROLLER):
        found = [
            "boot with cgroup_no_v1=memory where cgroup v1 has the controller (/proc/cgroups says so)",
            "give it to this cgroup: echo +memory > cgroup.subtree_control in the one around it",
        ]
    elif container:
        return (
            "docker run --cgroupns=private --security-opt writable-cgroups=true (Docker 28), with the run as "
            "root's and the container's only process",
        )
    user = "" if uid == 0 else " --user"
    return (*found, f"systemd-run{user} --scope -p Delegate=yes {command} (and every run in the same way)")
