"""Who the guest is. Started by root, it becomes an unprivileged user; capabilities it never has."""

from __future__ import annotations

import os

from sandbox.errors import UsageError

UNPRIVILEGED = "nobody"
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
