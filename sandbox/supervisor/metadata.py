"""Does what a guest asked of a file's mode, owner or times: with the guest's rights, and where it may write.

The file is opened first (O_PATH); where it lies is asked of what was opened (/proc/self/fd), and the change
is made through the same descriptor. A link swapped in between changes which file is looked at, never the
file between look and change.
"""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from sandbox._kernel import behalf
from sandbox.outcome import Deed
from sandbox.rules.files import Refusal, lasting
from sandbox.rules.options import option
from sandbox.supervisor import paths
from sandbox.supervisor.paths import Caller


class Realm(NamedTuple):
    """Where a guest may change files, by open directories and files (None: anywhere), and whose files."""

    write: tuple[int, ...] | None
    uid: int

    def holds(self, fd: int) -> bool:
        """Whether an open file lies where the guest may write."""
        return self.write is None or any(behalf.is_beneath(fd, root) for root in self.write)


class Done(NamedTuple):
    """0, or a negative errno for the guest; and the file, where it lies where the guest may not write."""

    result: int
    outside: Refusal | None = None


def perform(deed: Deed, caller: Caller, realm: Realm) -> Done:
    """Do it, if the guest may."""
    try:
        fd = _open(deed, caller)
    except ValueError:
        return Done(-errno.ENOENT)
    except OSError as error:
        return Done(-(error.errno or errno.EIO))
    try:
        within = realm.holds(fd)
        with caller.rights:
            return _on(fd, deed, realm, within)
    except OSError as error:
        return Done(-(error.errno or errno.EIO))
    finally:
        os.close(fd)


def _open(deed: Deed, caller: Caller) -> int:
    if deed.path is None:
        return paths.open_descriptor(caller, deed.dirfd, any_kind=deed.any_kind)
    return paths.open_path(caller, deed.dirfd, deed.path, follow=deed.follow)


def _on(fd: int, deed: Deed, realm: Realm, within: bool) -> Done:
    here = f"/proc/self/fd/{fd}"
    facts = os.fstat(fd)
    may = _may(deed, facts, realm)
    if not within:
        return Done(-errno.EACCES, _refusal(os.readlink(here), may and facts.st_nlink > 0))
    if deed.kind == "mode":
        os.chmod(here, deed.values[0])
    elif deed.kind == "times":
        behalf.set_times(fd, deed.values)
    elif not may:
        return Done(-errno.EPERM)
    return Done(0)


def _refusal(place: str, may: bool) -> Refusal | None:
    """Of what lies nowhere (a pipe), none; without an option where that would not help."""
    if not place.startswith("/"):
        return None
    return Refusal(place, "write", option("write", lasting(place)) if may else "")


def _may(deed: Deed, facts: os.stat_result, realm: Realm) -> bool:
    if deed.kind != "owner":
        return facts.st_uid == realm.uid
    have = (facts.st_uid, facts.st_gid)
    return all(want in (-1, got) for want, got in zip(deed.values, have, strict=True))
