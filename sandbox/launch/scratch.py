"""The private scratch directory of a run: made before, given to the guest as TMPDIR, removed after.

All of a user's are made in one place that no guest may write, whatever its policy says (`check_apart`), and
everything is done by descriptors that stay open from the making to the end:

    /var/tmp/ostoo-sandbox-UID    the home: the supervisor's user's; others may not list it
      RANDOM                      one run's: locked as long as its supervisor lives
        tmp                       the guest's
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from sandbox.errors import SetupError, UsageError
from sandbox.launch import locks
from sandbox.launch.removal import DIRECTORY, clear
from sandbox.rules.files import covered

INNER = "tmp"
_BASE = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_TRIES = 100
_SWEEP_S = 0.25  # what a run spends at its end on what others left
_PATIENCE_S = 2.0  # how long a control signal does not stop the removal of the run's own
# Not a word about the place: the next would do no better.
_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def bases(uid: int) -> tuple[str, ...]:
    """Where a user's home of scratch directories may be, best first. The caller's environment has no say:
    every run must know where those of the others are."""
    return "/var/tmp", "/run" if uid == 0 else f"/run/user/{uid}", "/tmp"


class Home(NamedTuple):
    """The directory in which a user's scratch directories are made: open, and its real path."""

    fd: int
    path: str


class Scratch:
    """One run's scratch directory. `path` is its real path, `fd` its descriptor, `home` where it was made."""

    def __init__(self, home: Home, name: str, case: int, fd: int) -> None:
        self.home = home.path
        self.path = os.path.join(home.path, name, INNER)
        self.fd = fd
        self._home = home.fd
        self._name = name
        self._case = case

    def offer(self, environment: dict[str, str], given: Iterable[str]) -> None:
        """Make it the TMPDIR of this environment, unless a person gave another: `given` as for --env."""
        if not any(entry.partition("=")[0] == "TMPDIR" for entry in given):
            environment["TMPDIR"] = self.path

    def remove(self, give_up: Callable[[], bool] = lambda: False) -> bool:
        """Remove it; True if nothing is left. Then spend a moment on what killed runs of the same user left.

        Nothing outside is touched, whatever the guest made. `give_up` is asked once removing takes
        seconds; what stays is a later run's to remove. Never raises OSError.
        """
        until = time.monotonic() + _PATIENCE_S
        os.close(self.fd)

        def go_on() -> bool:
            return time.monotonic() < until or not give_up()

        try:
            gone = _gone(self._home, self._name, self._case, go_on)
            _sweep(self._home)
        finally:
            os.close(self._case)
            os.close(self._home)
        return gone


def make(owner: tuple[int, int] | None) -> Scratch:
    """A new directory, empty, mode 0700 whatever the umask, for `owner` (uid, gid).

    Raises SetupError; nothing is left behind then.
    """
    home = open_home()
    try:
        for _ in range(_TRIES):
            # A sweep of another run found it before it was locked, or it was there.
            with contextlib.suppress(BlockingIOError, FileNotFoundError, FileExistsError):
                return _made(home, os.urandom(16).hex(), owner)
        raise OSError(errno.EEXIST, "what is made there is removed at once")
    except BaseException as error:
        os.close(home.fd)
        if isinstance(error, OSError):
            raise SetupError(f"cannot make a scratch directory in {home.path}: {error.strerror}") from None
        raise


def _made(home: Home, name: str, owner: tuple[int, int] | None) -> Scratch:
    make_directory(name, home.fd)
    case = fd = -1
    try:
        case = locks.take(name, home.fd)
        check_fresh(case)
        os.fchmod(case, _mode())
        make_directory(INNER, case)
        fd = os.open(INNER, DIRECTORY, dir_fd=case)
        check_fresh(fd)
        os.fchmod(fd, 0o700)
        if owner is not None:
            os.fchown(fd, *owner)
        made = Scratch(home, name, case, fd)
        if not os.path.samestat(os.stat(made.path), os.fstat(fd)):
            raise OSError(errno.EXDEV, "its name leads elsewhere")
        return made
    except BaseException:
        _unmake(home.fd, name, case, fd)
        raise


def check_fresh(fd: int) -> None:
    """Raises OSError unless the directory can be the one that was just made: ours, and empty."""
    if os.fstat(fd).st_uid != os.geteuid() or os.listdir(fd):
        raise OSError(errno.EXDEV, "another directory has taken its place")


def _unmake(home: int, name: str, case: int, fd: int) -> None:
    """Take back what was begun: rmdir(2) takes nothing but an empty directory."""
    if case >= 0:
        with contextlib.suppress(OSError):
            os.rmdir(INNER, dir_fd=case)
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=home)
    for one in (case, fd):
        if one >= 0:
            os.close(one)


def make_directory(name: str, parent: int) -> None:
    """mkdirat(2), mode 0700 whatever the umask. Raises OSError."""
    before = os.umask(0o077)
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    finally:
        os.umask(before)


def _mode() -> int:
    """Root's guests are other users, who have to pass through to what is theirs."""
    return 0o711 if os.geteuid() == 0 else 0o700


def is_at(parent: int, name: str, fd: int) -> bool:
    """Whether the open file `fd` is what `name` is in the open directory `parent`. Raises OSError."""
    return os.path.samestat(os.stat(name, dir_fd=parent, follow_symlinks=False), os.fstat(fd))


def _gone(home: int, name: str, case: int, go_on: Callable[[], bool]) -> bool:
    """Remove one run's directory, which is open and locked as `case`."""
    try:
        try:
            os.rmdir(INNER, dir_fd=case)  # an empty one goes even if no descriptor is left
        except OSError:
            if not clear(case, go_on):
                return False
        if is_at(home, name, case):
            os.rmdir(name, dir_fd=home)
            return True
    except OSError:
        pass
    return os.fstat(case).st_nlink == 0


# ---- what killed runs left ----


def _sweep(home: int) -> None:
    """Remove what nobody has the lock of, for a moment. A tree too large for it gets smaller each time."""
    until = time.monotonic() + _SWEEP_S
    with contextlib.suppress(OSError):
        for name in os.listdir(home):
            if time.monotonic() > until:
                return
            if len(name) == 32 and not name.strip("0123456789abcdef"):
                with contextlib.suppress(OSError):
                    _sweep_one(home, name, until)


def _sweep_one(home: int, name: str, until: float) -> None:
    case = locks.take(name, home)
    try:
        facts = os.fstat(case)
        if facts.st_uid == os.geteuid() and facts.st_dev == os.fstat(home).st_dev:
            _gone(home, name, case, lambda: time.monotonic() < until)
    finally:
        os.close(case)


# ---- where they are ----


def open_home() -> Home:
    """The first usable home of this user, made if need be. Raises SetupError that says why there is none."""
    uid = os.geteuid()
    reasons = []
    for base in bases(uid):
        try:
            return _home_in(base, uid)
        except OSError as error:
            if error.errno in _OURS:
                raise SetupError(f"cannot make a scratch directory: {error.strerror}") from None
            reasons.append(f"{_home_name(base, uid)}: {error.strerror}")
    raise SetupError(f"cannot make a scratch directory: {'; '.join(reasons)}")


def _home_name(base: str, uid: int) -> str:
    return os.path.join(base, f"{locks.PREFIX}{uid}")


def _home_in(base: str, uid: int) -> Home:
    outer = os.open(base, _BASE)  # the system's own: /var/tmp may be a link
    try:
        if _is_loose(os.fstat(outer)):
            raise PermissionError(errno.EPERM, f"{base} is writable to others and lacks the sticky bit")
        name = _home_name("", uid)
        with contextlib.suppress(FileExistsError):
            make_directory(name, outer)
        fd = os.open(name, DIRECTORY, dir_fd=outer)
    finally:
        os.close(outer)
    try:
        facts = os.fstat(fd)
        if refusal := _unfit(facts, uid):
            raise PermissionError(errno.EPERM, refusal)
        if stat.S_IMODE(facts.st_mode) != _mode():
            os.fchmod(fd, _mode())
    except BaseException:
        os.close(fd)
        raise
    return Home(fd, _home_name(os.path.realpath(base), uid))


def _is_loose(base: os.stat_result) -> bool:
    """Whether others could take away what is in a directory."""
    return bool(base.st_mode & 0o022) and not base.st_mode & stat.S_ISVTX


def _unfit(facts: os.stat_result, uid: int) -> str:
    """Why a directory is no home for this user's scratch directories, or ''."""
    if not stat.S_ISDIR(facts.st_mode):
        return "it is no directory"
    if facts.st_uid != uid:
        return "it is another user's"
    return "others may write there" if facts.st_mode & 0o022 else ""


# ---- no guest writes where they are ----


class Written(NamedTuple):
    """A place that a guest may write: its real path, and what stat(2) says of it."""

    path: str
    facts: os.stat_result


def check_apart(places: Iterable[Written], guest: int | None) -> None:
    """Raises UsageError where a guest could write in the scratch directory of another run: Landlock cannot
    take back what lies beneath a place it allows.

    `places` are those it may write but for its own scratch directory; `guest` is who it becomes, None if it
    stays who we are.
    """
    doubtful = [one for one in places if stat.S_ISDIR(one.facts.st_mode) or locks.PREFIX in one.path]
    if not doubtful:
        return
    users = {os.geteuid(), os.geteuid() if guest is None else guest}
    # Root's runs may have directories for any guest.
    above = {base: _identities(base) for uid in {0, *users} for base in _real(bases(uid))}
    homes: list[str] = []
    for place in doubtful:
        if home := home_around(place.path, above):
            raise _refusal(place, home)
        over = [base for base, known in above.items() if _covers(place, base, known)]
        homes = homes or ([*_settled(users), *_present(above, users)] if over else [])
        for home in homes:
            if os.path.dirname(home) in over:
                raise _refusal(place, home)


def _refusal(place: Written, home: str) -> UsageError:
    return UsageError(
        f"{place.path}: the guest may not write there, where scratch directories of other runs are ({home}); "
        "let it write in a directory of its own instead"
    )


def home_around(path: str, among: Iterable[str]) -> str:
    """The home, some user's, that a real path is or lies in, '' for none. `among`: bases. Pure."""
    for base in among:
        if path.startswith(start := f"{base.rstrip('/')}/{locks.PREFIX}"):
            uid = path.removeprefix(start).partition("/")[0]
            if uid.isdecimal():
                return start + uid
    return ""


def _covers(place: Written, base: str, known: frozenset[tuple[int, int]]) -> bool:
    return covered(base, (place.path,)) or (place.facts.st_dev, place.facts.st_ino) in known


def _settled(users: Iterable[int]) -> list[str]:
    """The homes of these users, once ours is made: so it is known which one our other runs will use."""
    used = ""
    with contextlib.suppress(SetupError):
        home = open_home()
        os.close(home.fd)
        used = home.path
    return [one for uid in users for one in _homes(uid, used if uid == os.geteuid() else None)]


def _real(given: Iterable[str]) -> Iterator[str]:
    return (os.path.realpath(one) for one in given if os.path.isdir(one))


def _identities(base: str) -> frozenset[tuple[int, int]]:
    """Device and inode of a directory and of all above: a bind mount has another path, not another inode."""
    found = set()
    while True:
        facts = os.stat(base)
        found.add((facts.st_dev, facts.st_ino))
        if base == "/":
            return frozenset(found)
        base = os.path.dirname(base)


def _present(among: Iterable[str], users: set[int]) -> Iterator[str]:
    """Homes of these users under other numbers: a run in a user namespace calls its user 0, for instance."""
    for base in among:
        with contextlib.suppress(OSError):
            for one in os.scandir(base):
                known = home_around(one.path, (base,)) == one.path
                if known and one.stat(follow_symlinks=False).st_uid in users:
                    yield one.path


def _homes(uid: int, used: str | None) -> Iterator[str]:
    """The homes that runs of a user use or may come to use: up to `used`, or if that is not known the first
    that can be used, and any further one that is there."""
    reached = False
    for base in bases(uid):
        if not os.path.isdir(base):
            continue
        home = _home_name(os.path.realpath(base), uid)
        there = _is_there(home, uid)
        if there or not reached:
            yield home
        reached = reached or (home == used if used is not None else there or _could_make(base, home, uid))


def _is_there(home: str, uid: int) -> bool:
    try:
        return not _unfit(os.lstat(home), uid)
    except OSError:
        return False


def _could_make(base: str, home: str, uid: int) -> bool:
    """Whether another user could make a home in `base`."""
    facts = os.stat(base)
    writable = facts.st_mode & 0o002 or facts.st_uid == uid
    read_only = os.statvfs(base).f_flag & os.ST_RDONLY
    return bool(writable and not _is_loose(facts) and not read_only and not os.path.lexists(home))
