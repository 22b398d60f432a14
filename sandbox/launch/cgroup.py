"""The memory limit as the kernel keeps it: a cgroup v2 of the run's own (cgroups(7), kernel's cgroup-v2.rst).

It is made where the kernel lets us, and nothing fails where it does not: `Account.enforcement` says which.
Only what is ours is divided: our own cgroup, or the one it lies in where that is ours, too. Processes of
others are never moved.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from typing import NamedTuple

from sandbox.launch import locks

LEAF = locks.PREFIX + "supervisor"
FULL = "full: cgroup"
WITHOUT_SWAP = "partial: cgroup, which does not count swap here"
NOT_MOUNTED = "no cgroup v2 is mounted"
NO_CONTROLLER = "this cgroup v2 has no memory controller"
NOT_ALONE = "other processes are in this cgroup"
_PROCS, _SUBTREE, _CONTROLLERS = "cgroup.procs", "cgroup.subtree_control", "cgroup.controllers"
_PATIENCE = 200  # times 5 ms


class Place(NamedTuple):
    """Our own cgroup's directory and where its file system is mounted; '' where there is none to be seen."""

    own: str = ""
    mount: str = ""


class CgroupError(Exception):
    """Why the kernel cannot keep the limit, in words for `enforcement`."""


class Kernel:
    """The cgroup file system's operations. Each raises OSError."""

    def read(self, directory: str, name: str) -> str:
        """A control file's text."""
        with open(os.path.join(directory, name), "rb", buffering=0) as file:
            return file.read(1 << 16).decode("ascii", "replace")

    def write(self, directory: str, name: str, text: str) -> None:
        """Write a control file in one piece; it has to exist."""
        fd = os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    def make(self, directory: str) -> None:
        """Make a cgroup; the kernel fills it with control files."""
        os.mkdir(directory, 0o755)

    def remove(self, directory: str) -> None:
        """Remove a cgroup; EBUSY while a process or another cgroup is in it."""
        os.rmdir(directory)


class Account:
    """The cgroup of one run. Without one `procs` is -1, and `enforcement` says why.

    `procs` is the descriptor of `cgroup.procs` that the guest's process writes "0" to.
    """

    def __init__(self, enforcement: str, kernel: Kernel, directory: str = "", moved_from: str = "") -> None:
        self.enforcement = enforcement
        self.peak: int | None = None
        self.procs = -1
        self._kernel = kernel
        self._directory = directory
        self._moved_from = moved_from
        self._lock = -1

    def open(self, limit: int) -> None:
        """Set the limit, take the lock that keeps others from sweeping the cgroup. Raises OSError."""
        self._lock = locks.take(self._directory)
        self._kernel.write(self._directory, "memory.max", str(limit))
        if not self._set("memory.swap.max", "0") and os.path.exists("/proc/swaps"):
            self.enforcement = WITHOUT_SWAP
        # All or nothing: a run that lost one process would go on as something else than it was.
        self._set("memory.oom.group", "1")
        self.procs = os.open(os.path.join(self._directory, _PROCS), os.O_WRONLY | os.O_CLOEXEC)

    def _set(self, name: str, text: str) -> bool:
        """Write a file that not every kernel has."""
        try:
            self._kernel.write(self._directory, name, text)
        except OSError:
            return False
        return True

    def entered(self, pid: int) -> None:
        """The guest's process was told to enter: see whether it did, and let the kernel choose it to kill."""
        if not self._directory:
            return
        if str(pid) not in self._read(_PROCS).split():
            self.enforcement = partial("the guest could not enter its cgroup")
        _make_killable(pid)

    def is_over(self) -> bool:
        """Whether processes were killed because the run had reached its limit. A kill for lack of memory in
        the whole machine, or further up, is counted alike, but leaves `oom` at 0."""
        if not self._directory:
            return False
        counts = dict(line.partition(" ")[::2] for line in self._read("memory.events").splitlines())
        return "0" not in (counts.get("oom", "0"), counts.get("oom_kill", "0"))

    def close(self) -> None:
        """Note the peak, remove the cgroup, and go back to where we were. Never raises."""
        if self._directory:
            peak = self._read("memory.peak").strip()  # Linux 5.19
            self.peak = int(peak) if peak.isdecimal() else None
        for fd in (self.procs, self._lock):
            if fd >= 0:
                os.close(fd)
        # A guest that does not die keeps its limit.
        gone = not self._directory or _remove(self._kernel, self._directory)
        if self._moved_from and gone:
            _move_back(self._kernel, self._moved_from)
        self.procs = self._lock = -1
        self._directory = self._moved_from = ""

    def _read(self, name: str) -> str:
        try:
            return self._kernel.read(self._directory, name)
        except OSError:
            return ""


def open_account(limit: int | None, place: Place | None = None, kernel: Kernel | None = None) -> Account:
    """A cgroup with this limit in bytes, empty. Close it in every case. Never raises.

    Where our own cgroup has to be divided for it and we are alone there, this process moves into a child
    of it until the account is closed. Call it before any child is made.
    """
    kernel = kernel or Kernel()
    if limit is None:
        return Account("not asked for", kernel)
    try:
        return _open(limit, place or find(), kernel)
    except CgroupError as error:
        return Account(partial(str(error)), kernel)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "EIO")
        refused = (
            "no cgroup is delegated" if name in ("EACCES", "EPERM", "EROFS") else "no cgroup can be made"
        )
        return Account(partial(f"{refused} ({name})"), kernel)


def trial() -> str:
    """What `enforcement` would say of a run from here: a cgroup is made and removed. Never raises."""
    account = open_account(1 << 30)
    account.close()
    return account.enforcement


def partial(why: str) -> str:
    """What `enforcement` says where the supervisor alone keeps the limit."""
    return f"partial: looked at 20 times a second, {why}"


def _open(limit: int, place: Place, kernel: Kernel) -> Account:
    if not place.own:
        raise CgroupError(NOT_MOUNTED)
    if not _names_memory(kernel, place.own, _CONTROLLERS):
        raise CgroupError(NO_CONTROLLER)
    if _names_memory(kernel, place.own, _SUBTREE):  # the root, which alone may have processes as well
        return _make(place.own, limit, kernel)
    outer = os.path.dirname(place.own)
    # A slice is systemd's alone to divide, also where its files are ours.
    if place.own != place.mount and not outer.endswith(".slice") and _names_memory(kernel, outer, _SUBTREE):
        with contextlib.suppress(OSError):
            return _make(outer, limit, kernel)
    return _divide(place.own, limit, kernel)


def _names_memory(kernel: Kernel, directory: str, name: str) -> bool:
    try:
        return "memory" in kernel.read(directory, name).split()
    except OSError:
        return False


def _make(base: str, limit: int, kernel: Kernel, moved_from: str = "") -> Account:
    _sweep(base, kernel)
    directory = os.path.join(base, f"{locks.PREFIX}{os.getpid()}-{os.urandom(4).hex()}")
    kernel.make(directory)
    account = Account(FULL, kernel, directory, moved_from)
    try:
        account.open(limit)
    except OSError:
        account.close()
        raise
    return account


def _divide(own: str, limit: int, kernel: Kernel) -> Account:
    """A cgroup with processes gives no controller to its children ("no internal processes"), so we, who have
    to be alone in it, move into a leaf first."""
    leaf = os.path.join(own, LEAF)
    with contextlib.suppress(FileExistsError):
        kernel.make(leaf)
    try:
        if kernel.read(own, _PROCS).split() != [str(os.getpid())]:
            raise CgroupError(NOT_ALONE)
        kernel.write(leaf, _PROCS, "0")
    except (OSError, CgroupError):
        _remove(kernel, leaf)
        raise
    try:
        kernel.write(own, _SUBTREE, "+memory")
        return _make(own, limit, kernel, own)
    except OSError:
        _move_back(kernel, own)
        raise


def _move_back(kernel: Kernel, own: str) -> None:
    for name, text in ((_SUBTREE, "-memory"), (_PROCS, "0")):
        with contextlib.suppress(OSError):
            kernel.write(own, name, text)
    _remove(kernel, os.path.join(own, LEAF))


def _sweep(base: str, kernel: Kernel) -> None:
    """Remove what runs with a killed supervisor left in `base`: nobody has their lock."""
    for name in os.listdir(base):
        if name.startswith(locks.PREFIX) and name != LEAF:
            directory = os.path.join(base, name)
            with contextlib.suppress(OSError):
                os.close(locks.take(directory))
                kernel.remove(directory)


def _remove(kernel: Kernel, directory: str) -> bool:
    """Whether it is gone. A process that was waited for can be in its cgroup a moment more (Linux 6.19)."""
    for _ in range(_PATIENCE):
        try:
            kernel.remove(directory)
            return True
        except OSError as error:
            if error.errno != errno.EBUSY:
                return error.errno == errno.ENOENT
        time.sleep(0.005)
    return False


def _make_killable(pid: int) -> None:
    """A service that the kernel must never choose when memory runs out has guests that it may choose."""
    with contextlib.suppress(OSError):
        with open("/proc/self/oom_score_adj", "rb", buffering=0) as file:
            if file.read(16).strip() != b"-1000":
                return
        with open(f"/proc/{pid}/oom_score_adj", "wb", buffering=0) as file:
            file.write(b"0")


# ---- where we are ----


def find() -> Place:
    """Our own cgroup v2, by /proc."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            mounts = file.read()
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            return located(mounts, file.read())
    except OSError:
        return Place()


def located(mountinfo: str, membership: str) -> Place:
    """Our place, from the texts of /proc/self/mountinfo and /proc/self/cgroup (proc_pid_mountinfo(5),
    cgroups(7)); empty where no cgroup v2 is mounted, or ours lies outside of what is."""
    own = next((line[3:] for line in membership.splitlines() if line.startswith("0::")), "")
    for line in mountinfo.splitlines():
        fields, _, filesystem = line.partition(" - ")
        if not own or ".." in own.split("/") or not filesystem.startswith("cgroup2 "):
            continue
        root, mount = (_unescaped(one) for one in fields.split(" ")[3:5])
        if root == "/":
            return Place(os.path.normpath(mount + own), mount)
        if own == root or own.startswith(root + "/"):
            return Place(os.path.normpath(mount + own[len(root) :]), mount)
    return Place()


def _unescaped(text: str) -> str:
    """A path of mountinfo, where blanks are octal."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
