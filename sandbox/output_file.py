"""Files that a person asks us to write: a log, an outcome, an export.

Such a name can stand where a guest of an earlier run, or of another one beside us, may write, and be a link,
a FIFO, a directory or a hard link by now. So a path is walked one component at a time, by descriptors; a
symbolic link is followed only if no guest can have made it; and nothing is made, opened for writing or
emptied before the caller has accepted the whole request:

    found = OutputFile(path)   # looks, and changes nothing
    fd = found.open()          # makes the file if there is none
    found.commit()             # empties it; `discard` instead leaves everything as it was
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterable, Iterator

from sandbox.pipes import above_stdio

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_MAX_LINKS = 40  # path_resolution(7)
_MAX_DEPTH = 4096
_PATIENCE_S = 1.0
_SYSTEM = ("/", "/dev", "/proc", "/var")
_STDIO = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}

Identity = tuple[int, int]
"""Device and inode."""


class OutputFile:
    """A file to write, as it was found: what is there by now is never taken for it.

    `path` is the name as it was given. `fd` is -1 before `open`, and the caller's after `commit`.
    """

    def __init__(self, path: str, mode: int = 0o666) -> None:
        """Find it; `mode` is for one that is not there yet.

        Raises OSError, whose `strerror` says why: what is there cannot be written, or is a directory, a
        socket, a block device, a file with a second name, or, in a sticky directory, another user's; or the
        way there leads through a link that a guest may have made.
        """
        self.path = path
        self.fd = -1
        self._mode = mode
        self._made = False
        self._place, self._name, self._given = _find(path)
        try:
            self._there = self._look()
        except BaseException:
            self._leave()
            raise

    def _look(self) -> os.stat_result | None:
        if self._given is not None:
            status = os.fstat(self._given)
            _check_kind(status)
            return status
        try:
            status = os.stat(self._name, dir_fd=self._place, follow_symlinks=False)
        except FileNotFoundError:
            return None
        _check_kind(status)
        _check_owner(status, os.fstat(self._place))
        return status

    @property
    def is_stream(self) -> bool:
        """Whether it keeps nothing that is written: a pipe, a FIFO, a terminal or another device."""
        return self._there is not None and not stat.S_ISREG(self._there.st_mode)

    def is_same(self, other: OutputFile) -> bool:
        """Whether both are one file, there or not. Two ways to one pipe or device are no matter."""
        if self._there is None or other._there is None:
            return self._there is other._there and self._new_name() == other._new_name()
        return not self.is_stream and _identity(self._there) == _identity(other._there)

    def _new_name(self) -> tuple[Identity, str]:
        return _identity(os.fstat(self._place)), self._name

    def is_within(self, roots: Iterable[str | int]) -> bool:
        """Whether it is one of `roots`, or beneath one; they are paths or open descriptors.

        Files are told by device and inode, as Landlock does, not by names. False for a stream. Raises OSError
        if that cannot be found out.
        """
        if self.is_stream:
            return False
        found = {_identity(os.stat(root)) for root in roots}
        if not found:
            return False
        if self._there is not None and _identity(self._there) in found:
            return True
        place = self._place if self._given is None else _home(self._given)
        if place == -1:
            return False
        try:
            return any(one in found for one in _above(place))
        finally:
            if self._given is not None:
                os.close(place)

    def open(self) -> int:
        """Open it for writing, above descriptor 2, or make it; what it holds stays. Raises OSError.

        A FIFO that nobody reads is waited for: one second. Nothing is left behind if this fails.
        """
        try:
            self.fd = above_stdio(self._opened())
            if self._there is not None and _identity(os.fstat(self.fd)) != _identity(self._there):
                raise _refusal(errno.ESTALE, "it was exchanged for another file meanwhile")
            os.set_blocking(self.fd, True)
        except BaseException:
            self.discard()
            raise
        return self.fd

    def _opened(self) -> int:
        if self._given is not None and not self.is_stream:
            return _duplicate(self._given)
        if self._there is None:
            flags = _WRITE | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL
            fd = os.open(self._name, flags, self._mode, dir_fd=self._place)
            self._made = True
            return fd
        end = time.monotonic() + _PATIENCE_S
        while True:
            try:
                if self._given is not None:
                    return os.open(f"/proc/self/fd/{self._given}", _WRITE)
                return os.open(self._name, _WRITE | os.O_NOFOLLOW, dir_fd=self._place)
            except OSError as error:
                if error.errno != errno.ENXIO or not stat.S_ISFIFO(self._there.st_mode):
                    raise
                if time.monotonic() > end:
                    raise _refusal(errno.ENXIO, "nobody reads this FIFO") from None
            time.sleep(0.01)

    def commit(self) -> None:
        """Empty it, and leave the descriptor to the caller. Raises OSError.

        What the caller has opened already, such as `/dev/stdout`, is written from where it stands.
        """
        if self._given is None and stat.S_ISREG(os.fstat(self.fd).st_mode):
            os.ftruncate(self.fd, 0)
        self._leave()

    def discard(self) -> None:
        """Leave everything as it was found; one that `open` made is gone again. Never raises OSError."""
        fd, self.fd = self.fd, -1
        if fd != -1:
            if self._made:
                self._remove(_identity(os.fstat(fd)))
            os.close(fd)
        self._leave()

    def _remove(self, made: Identity) -> None:
        try:
            there = os.stat(self._name, dir_fd=self._place, follow_symlinks=False)
            if _identity(there) == made:
                os.unlink(self._name, dir_fd=self._place)
        except OSError:
            pass

    def _leave(self) -> None:
        place, self._place = self._place, -1
        if place != -1:
            os.close(place)


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino


def _refusal(code: int, text: str) -> OSError:
    return OSError(code, text)


def _shown(name: str) -> str:
    return name if name.isprintable() else ascii(name)


# ---- the way there ----


def _find(path: str) -> tuple[int, str, int | None]:
    """An open directory and a name in it that is no link; or -1, "" and the number of an open descriptor."""
    try:
        if b"\0" in os.fsencode(path):
            raise _refusal(errno.EINVAL, "its name holds a NUL")
    except UnicodeEncodeError:
        raise _refusal(errno.EINVAL, "its name cannot be encoded") from None
    if not path:
        raise _refusal(errno.ENOENT, os.strerror(errno.ENOENT))
    given = _descriptor(path)
    if given is not None:
        return -1, "", given
    walk = _Walk(path)
    try:
        return walk.finish()
    except BaseException:
        walk.close()
        raise


def _descriptor(path: str) -> int | None:
    """The number in a path that names an open descriptor of ours, such as `/dev/fd/63` of `>(command)`."""
    if path in _STDIO:
        return _STDIO[path]
    directory, _, number = path.rpartition("/")
    names = ("/dev/fd", "/proc/self/fd", "/proc/thread-self/fd", f"/proc/{os.getpid()}/fd")
    if directory in names and number.isascii() and number.isdigit() and len(number) < 10:
        return int(number)
    return None


def _duplicate(fd: int) -> int:
    """The same open file, its position included: what others wrote there stays. Raises OSError."""
    import fcntl

    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise _refusal(errno.EBADF, "it is open for reading only")
    return os.dup(fd)


class _Walk:
    """Walks a path by descriptors, and follows a link only if no guest can have made it."""

    def __init__(self, path: str) -> None:
        self._rest = path
        self._links = 0
        self._place = os.open("/" if path.startswith("/") else ".", _LOOK | os.O_DIRECTORY)

    def close(self) -> None:
        """Close the directory that was reached."""
        os.close(self._place)

    def finish(self) -> tuple[int, str, int | None]:
        """As `_find`. The directory is the caller's then."""
        while True:
            name, slash, self._rest = self._rest.lstrip("/").partition("/")
            if not slash and name in ("", ".", ".."):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            target = self._enter(name) if slash else self._target(name)
            if target is None:
                if not slash:
                    return self._place, name, None
                continue
            given = self._follow(target, slash)
            if given is not None:
                self.close()
                return -1, "", given

    def _enter(self, name: str) -> str | None:
        """Go on to a directory, or return where the link of this name leads."""
        try:
            # O_DIRECTORY has automounts done.
            self._go(os.open(name, _LOOK | os.O_DIRECTORY, dir_fd=self._place))
        except NotADirectoryError:
            target = self._target(name)
            if target is None:
                raise
            return target
        return None

    def _go(self, place: int) -> None:
        os.close(self._place)
        self._place = place

    def _target(self, name: str) -> str | None:
        """Where a symbolic link leads; None if there is none of this name. Raises OSError for one that a
        guest may have made."""
        try:
            link = os.open(name, _LOOK, dir_fd=self._place)
        except FileNotFoundError:
            return None
        try:
            if not stat.S_ISLNK(os.fstat(link).st_mode):
                return None
            if not _is_the_systems(self._place):
                text = f"{_shown(name)} is a symbolic link that a guest may have made; name what it leads to"
                raise _refusal(errno.ELOOP, text)
            return os.readlink("", dir_fd=link)
        finally:
            os.close(link)

    def _follow(self, target: str, slash: str) -> int | None:
        """Go on with a link's target; the number of a descriptor if it leads to one."""
        self._links += 1
        if self._links > _MAX_LINKS:
            raise _refusal(errno.ELOOP, os.strerror(errno.ELOOP))
        self._rest = f"{target}{slash}{self._rest}"
        if not target.startswith("/"):
            return None
        self._go(os.open("/", _LOOK | os.O_DIRECTORY))
        return _descriptor(self._rest)


def _is_the_systems(place: int) -> bool:
    """Whether no guest can have made a link in this directory: it is root's, and nobody else may write it.

    Guests of an ordinary user have that user's rights at most. Guests of root may be root, by a waiver, and
    write what their policy says, so for root only directories count that make up the system itself. An owner
    that a user namespace does not know (user_namespaces(7)) is not root.
    """
    status = os.fstat(place)
    if status.st_uid != 0 or status.st_mode & 0o022:
        return False
    if os.geteuid() != 0:
        return not os.access(".", os.W_OK, dir_fd=place, effective_ids=True)
    return any(_identity(status) == _identity(os.stat(one)) for one in _SYSTEM if os.path.isdir(one))


# ---- what is there ----


def _check_kind(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        text = "it is a hard link, and its other name could be any file; remove it, or name another file"
        raise _refusal(errno.EMLINK, text)
    if stat.S_IFMT(status.st_mode) not in (stat.S_IFREG, stat.S_IFIFO, stat.S_IFCHR):
        raise _refusal(errno.ENXIO, "it is neither a file nor a FIFO nor a character device")


def _check_owner(status: os.stat_result, place: os.stat_result) -> None:
    """As the kernel does if fs.protected_regular and fs.protected_fifos (proc_sys_fs(5)) are set."""
    shared = place.st_mode & stat.S_ISVTX and place.st_mode & 0o022
    if shared and not stat.S_ISCHR(status.st_mode) and status.st_uid not in (os.geteuid(), place.st_uid):
        raise _refusal(errno.EACCES, "it is another user's, in a directory that everybody may write")


# ---- where it is ----


def _home(fd: int) -> int:
    """The open directory that an open file is in; -1 if the file has no name any more. Raises OSError."""
    path = os.readlink(f"/proc/self/fd/{fd}")
    status = os.fstat(fd)
    if status.st_nlink == 0:
        return -1
    directory, _, name = path.rpartition("/")
    place = os.open(directory or "/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _identity(os.stat(name, dir_fd=place, follow_symlinks=False)) != _identity(status):
            raise _refusal(errno.ESTALE, "it was moved meanwhile")
    except BaseException:
        os.close(place)
        raise
    return place


def _above(place: int) -> Iterator[Identity]:
    """A directory and all that it is in. Raises OSError."""
    root = _identity(os.stat("/"))
    fd = os.dup(place)
    try:
        for _ in range(_MAX_DEPTH):
            here = _identity(os.fstat(fd))
            yield here
            try:
                up = os.open("..", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
            except PermissionError:
                yield from _named_above(fd)
                return
            os.close(fd)
            fd = up
            if _identity(os.fstat(up)) == here == root:
                return
    finally:
        os.close(fd)
    raise _refusal(errno.ENAMETOOLONG, "its directory is too deep")


def _named_above(fd: int) -> Iterator[Identity]:
    """As `_above`, for a directory that may not be searched: what cannot be named cannot be allowed."""
    path = os.readlink(f"/proc/self/fd/{fd}")
    while len(path) > 1:
        path = os.path.dirname(path)
        try:
            yield _identity(os.stat(path))
        except OSError:
            continue
