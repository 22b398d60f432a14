"""Ends what a session of pytest has started, once that session is dead: a program of its own.

    python watcher.py NAME=VALUE PYTHON

It leaves its parent at once, and waits for the end of its standard input, which the session holds open and
does not use. Then every process with that entry in its environment gets SIGKILL, until there is none; guests,
which have another environment, end with their supervisors (PTRACE_O_EXITKILL). An ordinary user cannot read
the environment of a supervisor, which is undumpable: that one is told by its Python, its session (ours, or
one of its own), its start, and a parent that is none of ours.
"""

from __future__ import annotations

import os
import signal
import sys


def marked(entry: bytes) -> list[int]:
    """The processes that were started with this in their environment and can be looked at; not zombies."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as stream:
                if entry in stream.read(1 << 20).split(b"\0"):
                    found.append(int(name))
        except OSError:
            continue
    return found


class Hidden:
    """Supervisors of this session whose environment we may not read, from now on."""

    def __init__(self, python: bytes) -> None:
        self._python = python
        self._session, self._since = os.getsid(0), _stat("self")[2]

    def orphans(self) -> list[int]:
        """Those whose parent is gone."""
        return [int(name) for name in os.listdir("/proc") if name.isdigit() and self._is_orphan(name)]

    def _is_orphan(self, name: str) -> bool:
        try:
            open(f"/proc/{name}/environ", "rb").close()
        except PermissionError:
            parent, session, start = _stat(name)
            here = session in (self._session, int(name)) and start >= self._since
            return here and self._is_ours(name) and not self._is_ours(str(parent))
        except OSError:
            pass
        return False

    def _is_ours(self, name: str) -> bool:
        try:
            with open(f"/proc/{name}/cmdline", "rb") as stream:
                return self._python in stream.read(1 << 16)
        except OSError:
            return False


def _stat(name: str) -> tuple[int, int, int]:
    """Parent, session and start of a process (proc_pid_stat(5)); zeros if it is gone."""
    try:
        with open(f"/proc/{name}/stat", "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
        return int(fields[1]), int(fields[3]), int(fields[19])
    except (OSError, IndexError):
        return 0, 0, 0


def kill(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass


def main() -> None:
    hidden = Hidden(os.fsencode(sys.argv[2]))
    if os.fork():
        os._exit(0)
    os.setsid()
    while os.read(0, 4096):
        pass
    entry = os.fsencode(sys.argv[1])
    while left := marked(entry) + hidden.orphans():
        kill(left)


if __name__ == "__main__":
    main()
