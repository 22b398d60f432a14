"""Where a guest's path leads: for that guest, with its rights, and without an act on what is found.

The kernel walks the path in one step where that gives the guest's answer. Through /proc it does not:
/proc/self would be ours, and other processes' links (root, cwd, fd/N) would be followed where Landlock
forbids them to the guest. So a path that may go through such a link is walked name by name, in bounded work,
and of these links only those of guests are followed.

Everything is opened with O_PATH: no FIFO blocks, no device acts.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from sandbox._kernel import behalf
from sandbox._kernel.behalf import O_PATH, GuestRights
from sandbox.rules.files import AT_FDCWD, Found

# Every guest waits while one's path is walked by name. A path of PATH_MAX bytes has two thousand names, and
# each of 40 links may lead through as many.
MOST_STEPS = 1000
MOST_LINKS = 40  # MAXSYMLINKS (path_resolution(7))
_PROC_ROOT = 1  # the inode of /proc itself, whose links are text (fs/proc, PROC_ROOT_INO)
_UNSURE = frozenset({errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENOSYS, errno.EPERM})
_NO_OPENAT2 = frozenset({errno.ENOSYS, errno.EPERM})


class Caller(NamedTuple):
    """Whose path it is: thread, process, its rights, and which pids and tids are this run's."""

    tid: int
    tgid: int
    rights: GuestRights
    is_guest: Callable[[int], bool]


def open_path(caller: Caller, dirfd: int, path: bytes, *, follow: bool = True) -> int:
    """An O_PATH descriptor of what the path leads to, from descriptor `dirfd` of the guest's (AT_FDCWD: its
    working directory). Raises OSError as the guest's own call would get it."""
    if not path:
        raise OSError(errno.ENOENT, "")
    with _Search(caller, dirfd, path) as search:
        return search.open(follow=follow)


def open_descriptor(caller: Caller, fd: int, *, any_kind: bool = False) -> int:
    """An O_PATH descriptor of what the guest has open as `fd` (AT_FDCWD: its working directory). EBADF where
    there is no such descriptor, and, but for `any_kind`, where it was opened with O_PATH."""
    if fd == AT_FDCWD:
        return os.open(f"/proc/{caller.tid}/cwd", O_PATH)
    if fd < 0:
        raise OSError(errno.EBADF, "")
    try:
        opened = os.open(f"/proc/{caller.tid}/fd/{fd}", O_PATH)
    except FileNotFoundError:
        raise OSError(errno.EBADF, "") from None
    if not any_kind and _is_path_only(caller.tid, fd):
        os.close(opened)
        raise OSError(errno.EBADF, "")
    return opened


def _is_path_only(tid: int, fd: int) -> bool:
    try:
        with open(f"/proc/{tid}/fdinfo/{fd}", "rb", buffering=0) as file:
            flags = file.read(4096).partition(b"flags:")[2].split()
    except FileNotFoundError:
        return False
    return bool(flags) and bool(int(flags[0], 8) & os.O_PATH)


def find(caller: Caller, dirfd: int, path: bytes) -> Found | None:
    """Where the path leads; None where that cannot be told."""
    try:
        with _Search(caller, dirfd, path or b".") as search:
            return search.find()
    except (OSError, ValueError):
        return None


def find_name(caller: Caller, dirfd: int, path: bytes) -> Found | None:
    """Where the name at the path's end lies; a link of that name is not followed."""
    head, slash, name = path.rstrip(b"/").rpartition(b"/")
    if name in (b"", b".", b".."):
        return find(caller, dirfd, path)
    above = find(caller, dirfd, head + slash)
    return above and above._replace(
        path=os.path.join(above.path, os.fsdecode(name)), missing=above.missing + 1, directory=False
    )


def _names(path: bytes) -> list[bytes]:
    """A slash at the end wants a directory there, as `.` does."""
    names = [name for name in path.split(b"/") if name]
    return [*names, b"."] if names and path.endswith(b"/") else names


class _Search:
    """One path. `at` is a descriptor of the deepest that was found, `left` the names not found below it."""

    def __init__(self, caller: Caller, dirfd: int, path: bytes) -> None:
        self._caller = caller
        self._path = path
        self._steps = self._links = 0
        self._through_proc = False
        self.left: deque[bytes] = deque()
        # What the guest holds itself is opened with our rights: an undumpable guest's is closed to its own.
        self._root = os.open(f"/proc/{caller.tid}/root", O_PATH)
        self.at = -1
        try:
            if path.startswith(b"/"):
                self._start = os.dup(self._root)
            else:
                self._start = open_descriptor(caller, dirfd, any_kind=True)
        except BaseException:
            os.close(self._root)
            raise

    def __enter__(self) -> _Search:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in (self._root, self._start, self.at):
            if fd >= 0:
                os.close(fd)

    def open(self, *, follow: bool) -> int:
        """The caller closes it."""
        with self._caller.rights:
            return self._open(follow)

    def find(self) -> Found:
        """Raises OSError where it cannot be told."""
        with self._caller.rights:
            try:
                self._move(self._open(follow=True))
                self.left.clear()
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES) or self.at < 0:
                    raise
            return self._found()

    def _found(self) -> Found:
        place = os.readlink(f"/proc/self/fd/{self.at}")
        if not place.startswith("/"):
            raise OSError(errno.ENOENT, "a pipe or socket, which lies nowhere")
        facts = os.fstat(self.at)
        left = [name for name in self.left if name != b"."]
        path = os.path.join(place, os.fsdecode(b"/".join(left)))
        directory = not left and stat.S_ISDIR(facts.st_mode)
        return Found(path if left else place, place, len(left), directory, facts.st_dev)

    def _open(self, follow: bool) -> int:
        at_once = self._at_once(follow)
        if isinstance(at_once, int):
            return at_once
        try:
            found = self._walk(follow)
        except OSError:
            if self._through_proc or at_once is None:
                raise
            raise at_once from None
        if self._through_proc or at_once is None:
            return found
        os.close(found)
        raise at_once  # the kernel knows more than this walk, such as fs.protected_symlinks

    def _at_once(self, follow: bool) -> int | OSError | None:
        """The kernel's answer: a descriptor, the errno if no link of /proc is on the way, or None."""
        if not _same_file(self._root, "/"):
            return None  # its links lead from another root than ours
        try:
            fd = behalf.open_path(self._start, self._path, follow=follow)
        except OSError as error:
            if error.errno not in _UNSURE:
                raise
            return None if error.errno in _NO_OPENAT2 else error
        if not behalf.is_proc(fd):
            return fd
        os.close(fd)
        return None

    def _walk(self, follow: bool) -> int:
        self._move(os.dup(self._start))
        self.left = deque(_names(self._path))
        while self.left:
            self._steps += 1
            if self._steps > MOST_STEPS:
                raise OSError(errno.ELOOP, "too many names")
            self._step(self.left[0], follow=follow or len(self.left) > 1)
        found, self.at = self.at, -1
        return found

    def _move(self, fd: int) -> None:
        if self.at >= 0:
            os.close(self.at)
        self.at = fd

    def _step(self, name: bytes, *, follow: bool) -> None:
        if name == b".." and _same_file(self.at, self._root):
            name = b"."
        there = os.open(name, O_PATH | os.O_NOFOLLOW, dir_fd=self.at)
        if not follow or not stat.S_ISLNK(os.fstat(there).st_mode):
            self._move(there)
            self.left.popleft()
            return
        try:
            text = self._follow(name, there)
        finally:
            os.close(there)
        self.left.popleft()
        if text.startswith(b"/"):
            self._move(os.dup(self._root))
        self.left.extendleft(reversed(_names(text)))

    def _follow(self, name: bytes, link: int) -> bytes:
        """The path a link stands for; empty where the walk has gone where it leads."""
        self._links += 1
        if self._links > MOST_LINKS:
            raise OSError(errno.ELOOP, "")
        if not behalf.is_proc(link):
            text = os.readlink(b"", dir_fd=link)
            if not text:
                raise OSError(errno.ENOENT, "")
            return text
        self._through_proc = True
        if os.fstat(self.at).st_ino == _PROC_ROOT:
            return self._process_link(name, link)
        if not self._is_guests_own():
            raise OSError(errno.EACCES, "")
        self._move(os.open(name, O_PATH, dir_fd=self.at))
        return b""

    def _process_link(self, name: bytes, link: int) -> bytes:
        if name == b"self":
            return b"%d" % self._caller.tgid
        if name == b"thread-self":
            return b"%d/task/%d" % (self._caller.tgid, self._caller.tid)
        return os.readlink(b"", dir_fd=link)

    def _is_guests_own(self) -> bool:
        """Whether the walk stands in the /proc directory of a guest, whose links are open to all of its run.
        The directory stays that process's, whoever gets its number next."""
        if not _same_device(self.at, "/proc"):
            return False
        place = os.readlink(f"/proc/self/fd/{self.at}").split("/")
        if place[-1] in ("fd", "ns", "map_files"):
            place.pop()
        return place[-1].isdecimal() and self._caller.is_guest(int(place[-1]))


def _same_file(fd: int, path: int | str) -> bool:
    return os.path.samestat(os.fstat(fd), os.stat(path))


def _same_device(fd: int, path: str) -> bool:
    return os.fstat(fd).st_dev == os.stat(path).st_dev
