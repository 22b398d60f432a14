"""Standard input, output and error as they were found, to be given back so at the end of a run.

A guest can change what it shares with its caller: a terminal's settings, its foreground group, and the flags
of the open files behind descriptors 0 to 2 (fcntl(2), F_SETFL). Pipes and sockets on 0 and 1 are left alone:
for their flags we would have to hold them open, and their other end would not see the guest close them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
from typing import NamedTuple

_CHANGED_BY_SETFL = os.O_APPEND | os.O_ASYNC | os.O_DIRECT | os.O_NOATIME | os.O_NONBLOCK

# ioctl_tty(2), ioctl_tcsets(2). struct termios2, unlike struct termios, has speeds of any number.
_TCGETS2, _TCSETS2, _TERMIOS2 = 0x802C542A, 0x402C542B, 44
_TIOCGETD, _TIOCSETD = 0x5424, 0x5423
_TIOCGEXCL, _TIOCEXCL, _TIOCNXCL = 0x80045440, 0x540C, 0x540D
_TCXONC, _TCOON = 0x540A, 1
_NUMBER = struct.pack("i", 0)


class _Terminal(NamedTuple):
    settings: bytes
    discipline: bytes
    exclusive: bytes
    foreground: int


class _Stream(NamedTuple):
    fd: int
    flags: int
    terminal: _Terminal | None


class Streams:
    """Descriptors 0 to 2 as they are now; those in `closed` are not ours."""

    def __init__(self, closed: frozenset[int]) -> None:
        self._streams: list[_Stream] = []
        with contextlib.suppress(OSError):
            self._streams.extend(_found(fd) for fd in (0, 1, 2) if fd not in closed and _is_kept(fd))

    def give_back(self) -> None:
        """Undo what guests changed. SIGTTOU has to be blocked (`calls.prepare`). Never raises."""
        for stream in self._streams:
            with contextlib.suppress(OSError):
                _restore_flags(stream)
            with contextlib.suppress(OSError):
                if stream.terminal is not None:
                    _restore_terminal(stream.fd, stream.terminal)
            os.close(stream.fd)
        self._streams = []


def _is_kept(fd: int) -> bool:
    kind = os.fstat(fd).st_mode
    # Standard error is ours to write to until the end, whatever it is.
    return fd == 2 or stat.S_ISREG(kind) or (stat.S_ISCHR(kind) and os.isatty(fd))


def _found(fd: int) -> _Stream:
    terminal = None
    if os.isatty(fd):
        with contextlib.suppress(OSError):
            terminal = _state(fd)
    return _Stream(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3), fcntl.fcntl(fd, fcntl.F_GETFL), terminal)


def _restore_flags(stream: _Stream) -> None:
    now = fcntl.fcntl(stream.fd, fcntl.F_GETFL)
    if (now ^ stream.flags) & _CHANGED_BY_SETFL:
        fcntl.fcntl(stream.fd, fcntl.F_SETFL, stream.flags)


def _state(fd: int) -> _Terminal:
    try:
        foreground = os.tcgetpgrp(fd)
    except OSError:  # not our controlling terminal
        foreground = 0
    return _Terminal(
        fcntl.ioctl(fd, _TCGETS2, bytes(_TERMIOS2)),
        fcntl.ioctl(fd, _TIOCGETD, _NUMBER),
        fcntl.ioctl(fd, _TIOCGEXCL, _NUMBER),
        foreground,
    )


def _restore_terminal(fd: int, found: _Terminal) -> None:
    now = _state(fd)
    if now.foreground != found.foreground and not _is_alive(now.foreground) and _is_alive(found.foreground):
        os.tcsetpgrp(fd, found.foreground)
        now = now._replace(foreground=found.foreground)
    fcntl.ioctl(fd, _TCXONC, _TCOON)  # output that a guest suspended; what Ctrl-S suspends, this leaves
    if now == found or not _is_ours_alone(now.foreground):
        return
    if now.discipline != found.discipline:
        fcntl.ioctl(fd, _TIOCSETD, found.discipline)
    if now.exclusive != found.exclusive:
        fcntl.ioctl(fd, _TIOCEXCL if any(found.exclusive) else _TIOCNXCL)
    fcntl.ioctl(fd, _TCSETS2, found.settings)


def _is_alive(group: int) -> bool:
    """Whether a process group has a member. Every guest has been waited for: a group of theirs has none."""
    if group <= 0:
        return False
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _is_ours_alone(foreground: int) -> bool:
    """Whether nobody else can have changed the terminal's settings: we are in its foreground (0: it is not
    our controlling terminal), and with us there are only processes that wait for us. A pager at the end of
    our pipeline has set the terminal for itself, and goes on."""
    group = os.getpgrp()
    if foreground not in (0, group):
        return False
    above = set(_above())
    return all(pid in above for pid in _members(group))


def _above() -> list[int]:
    """This process, its parent, and so on."""
    found = [os.getpid()]
    while (parent := _stat(found[-1])[0]) > 1 and parent not in found:
        found.append(parent)
    return found


def _members(group: int) -> list[int]:
    pids = (int(name) for name in os.listdir("/proc") if name.isdecimal())
    return [pid for pid in pids if _stat(pid)[1] == group]


def _stat(pid: int) -> tuple[int, int]:
    """The parent and the group of a process (proc_pid_stat(5)), 0 where it is gone or has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            state, parent, group = file.read(4096).rpartition(b")")[2].split()[:3]
    except (OSError, ValueError):
        return 0, 0
    return (0, 0) if state in (b"Z", b"X") else (int(parent), int(group))
