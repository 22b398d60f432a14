"""Whether a SIGXFSZ tells that the run's limit on file sizes was reached, or is of the guest's own making."""

from __future__ import annotations

from sandbox.supervisor.tracee import Stopped
from sandbox.syscalls import table

SIGXFSZ = 25
_SI_USER = 0
# What reaches inode_newsize_ok or generic_write_check_limits; of ioctl, FICLONE and FICLONERANGE do.
_GROWING = frozenset(
    table.NUMBERS[name]
    for name in (
        *("write", "writev", "pwrite64", "pwritev", "pwritev2", "io_submit", "io_uring_enter"),
        *("truncate", "ftruncate", "fallocate", "sendfile", "splice", "copy_file_range", "ioctl"),
    )
)


def enforced(limit: int) -> int:
    """The limit as guests have it: never above what this process may set (setrlimit(2))."""
    from resource import RLIM_INFINITY, RLIMIT_FSIZE, getrlimit

    hard = getrlimit(RLIMIT_FSIZE)[1]
    return limit if hard == RLIM_INFINITY else min(limit, hard)


def own_limit(pid: int) -> int | None:
    """The soft limit of a process (proc(5), /proc/PID/limits); None without one, or where it is gone."""
    try:
        with open(f"/proc/{pid}/limits", "rb", buffering=0) as file:
            _, found, rest = file.read(8192).partition(b"\nMax file size")
        return int(rest.split(maxsplit=1)[0]) if found else None
    except (OSError, ValueError, IndexError):
        return None


def is_reached(stopped: Stopped, sender: int | None, code: int, limit: int) -> bool:
    """Whether this SIGXFSZ, about to be delivered, is for a file that would have grown past `limit` bytes.

    The kernel sends it as if the process had sent it to itself with kill (inode_newsize_ok and
    generic_write_check_limits: send_sig, which gives SI_USER and the process's own id), at the end of a call
    that would have made a file larger. So both are looked at; a signal of the guest's own that was blocked
    until now comes at the end of another call. A guest may lower its limit, and then the signal is its own
    matter. The stop is seen where the signal is ignored as well (sig_ignored, for tracees), not where it is
    blocked. Raises ProcessLookupError.
    """
    if (sender, code) != (stopped.task.tgid, _SI_USER) or own_limit(stopped.tid) != enforced(limit):
        return False
    return stopped.registers().orig_rax in _GROWING
