"""Who the guest is. Started by root, it becomes an unprivileged user; capabilities it never has."""

from __future__ import annotations

import os

from sandbox.errors import UsageError

UNPRIVILEGED = "nobody"
NETWORK_AND_IPC = 0x40000000 | 0x08000000  # CLONE_NEWNET, CLONE_NEWIPC (unshare(2))
_CAP_SYS_ADMIN = 21
_NOBODY = (65534, 65534)


def choose(name: str | None, *, keep_root: bool) -> tuple[int, int] | None:
    """The (uid, gid) to become, or None to stay who we are. `keep_root`: the policy or the caller waives it.

    Raises UsageError for a user that does not exist, for root without the waiver, and for any name where we
    are not root.
    """
    if os.geteuid() != 0:
        if name is not None:
            raise UsageError("--user: only root can start a guest as another user")
        return None
    if name is None:
        return None if keep_root else _known(UNPRIVILEGED) or _NOBODY
    user = _known(name)
    if user is None:
        raise UsageError(f"--user {name}: there is no such user")
    if user[0] == 0 and not keep_root:
        raise UsageError("--user root needs --waive root=REASON")
    return user


def _known(name: str) -> tuple[int, int] | None:
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return None
    return entry.pw_uid, entry.pw_gid


def may_make_namespaces() -> bool:
    """Whether this process has CAP_SYS_ADMIN. An ordinary user could make namespaces in a user namespace of
    its own, but would then see every file of others as nobody's."""
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:
            _, _, rest = file.read(8192).partition(b"\nCapEff:")
        return bool(int(rest.split(maxsplit=1)[0], 16) >> _CAP_SYS_ADMIN & 1)
    except (OSError, ValueError, IndexError):
        return False
