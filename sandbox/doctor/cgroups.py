"""Which cgroup v2 we are in, and whether it is ours to divide (cgroups(7), "Delegation")."""

from __future__ import annotations

import os
import re
from typing import NamedTuple


class Cgroup(NamedTuple):
    """`path` is '' where no cgroup v2 is mounted. `writable`: children can be made in it and filled."""

    path: str = ""
    controllers: tuple[str, ...] = ()
    writable: bool = False


def find_cgroup(mountinfo: str, membership: str) -> Cgroup:
    """Our own cgroup, from the texts of /proc/self/mountinfo and /proc/self/cgroup."""
    path = _own(mountinfo, membership)
    if not path or not os.path.isdir(path):
        return Cgroup(path)
    try:
        with open(os.path.join(path, "cgroup.controllers"), encoding="ascii") as file:
            controllers = tuple(file.read().split())
    except OSError:
        controllers = ()
    return Cgroup(path, controllers, _is_ours(path))


def _is_ours(path: str) -> bool:
    files = ("cgroup.procs", "cgroup.subtree_control")
    return os.access(path, os.W_OK | os.X_OK) and all(
        os.access(os.path.join(path, one), os.W_OK) for one in files
    )


def _own(mountinfo: str, membership: str) -> str:
    """The directory of our cgroup; '' where none is mounted, or ours lies outside of what is."""
    own = next((line[3:] for line in membership.splitlines() if line.startswith("0::")), "")
    for line in mountinfo.splitlines():
        fields, _, filesystem = line.partition(" - ")
        if not own or not filesystem.startswith("cgroup2 "):
            continue
        root, mount = (_unescaped(one) for one in fields.split(" ")[3:5])
        if root == "/":
            return os.path.normpath(mount + own)
        if own == root or own.startswith(root + "/"):
            return os.path.normpath(mount + own[len(root) :])
    return ""


def _unescaped(text: str) -> str:
    """A path of mountinfo, where blanks are octal (proc_pid_mountinfo(5))."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
