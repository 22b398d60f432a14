"""Which namespaces a guest gets: an empty network, and System V IPC and POSIX message queues of its own.

Who has CAP_SYS_ADMIN makes them. An ordinary user makes them in a user namespace, where only its own user and
group are mapped: to the guest, files of all others belong to the overflow user, 65534 (user_namespaces(7)).
"""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from sandbox._kernel import calls
from sandbox.errors import SetupError
from sandbox.policy.model import Network

NETWORK_AND_IPC = 0x40000000 | 0x08000000  # CLONE_NEWNET, CLONE_NEWIPC (unshare(2))
USER = 0x10000000  # CLONE_NEWUSER

_CAP_SYS_ADMIN = 21
_SIGSYS = 31

# A security module lets a user namespace be made and takes its privileges away, so that it cannot be mapped
# (AppArmor's kernel.apparmor_restrict_unprivileged_userns); ENOENT: no /proc here.
_MAPS_REFUSED = (errno.EPERM, errno.EACCES, errno.ENOENT)


class Isolation(NamedTuple):
    """unshare(2) flags, the maps of the user namespace among them, and why there is nothing to try, or ''."""

    flags: int = 0
    maps: tuple[bytes, bytes] | None = None
    lacks: str = ""


def wanted(network: Network | None) -> bool:
    """Whether a guest under this `[network]` is to have an empty network namespace."""
    return network is not None and not network.families


def choose(uid: int, gid: int, *, privileged: bool) -> Isolation:
    """What a user of these effective ids can try. Pure. `privileged`: it has CAP_SYS_ADMIN."""
    if privileged:
        return Isolation(NETWORK_AND_IPC)
    if uid == 0:
        # What root becomes is another user, who would have to be mapped too.
        return Isolation(lacks="root has no CAP_SYS_ADMIN here")
    return Isolation(USER | NETWORK_AND_IPC, (b"%d %d 1" % (uid, uid), b"%d %d 1" % (gid, gid)))


def ours() -> Isolation:
    """`choose` for this process."""
    return choose(os.geteuid(), os.getegid(), privileged=may_make_namespaces())


def refusal(error: calls.LaunchError) -> str:
    """In what words the kernel refused a user namespace; '' where the launch failed of something else."""
    if error.step == "unshare" or (error.step == "user namespace maps" and error.errno in _MAPS_REFUSED):
        return f"{error.step}: {error.strerror}"
    return "unshare: a filter kills who calls it" if error.status & 0x7F == _SIGSYS else ""


def may_make_namespaces() -> bool:
    """Whether this process has CAP_SYS_ADMIN."""
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:
            _, _, rest = file.read(8192).partition(b"\nCapEff:")
        return bool(int(rest.split(maxsplit=1)[0], 16) >> _CAP_SYS_ADMIN & 1)
    except (OSError, ValueError, IndexError):
        return False


def check_proc() -> None:
    """Raises SetupError, with the remedy, where /proc does not show us and our guests by their ids."""
    if fault := calls.proc_fault():
        raise SetupError(fault)
