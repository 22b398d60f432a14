"""What a rule may see of the guest whose call it judges: facts, read-only."""

from __future__ import annotations

from typing import Protocol


class GuestView(Protocol):
    """The calling task and the run around it, at the stop being judged.

    Memory reads raise OSError (EFAULT, ENAMETOOLONG, or ESRCH where the task vanished).
    """

    @property
    def pid(self) -> int:
        """The calling task's process id, as the guest's getpid() answers."""

    @property
    def tasks(self) -> int:
        """Live tasks in the whole run, those that are just being made included."""

    def is_guest(self, pid: int) -> bool:
        """True for a process or thread of this run, also one that is gone and not waited for yet."""

    def guests(self) -> set[int]:
        """Ids of all live processes of this run."""

    def guests_in_group(self, pgid: int) -> set[int]:
        """Ids of the live processes of this run in that process group."""

    def is_guest_group(self, pgid: int) -> bool:
        """True for a process group that holds guests only."""

    def own_group(self) -> int:
        """The calling process's process group."""

    def read(self, address: int, length: int) -> bytes:
        """Guest memory."""

    def read_string(self, address: int) -> bytes:
        """A NUL-terminated string of at most PATH_MAX bytes."""

    def is_directory(self, fd: int) -> bool | None:
        """Whether an open descriptor of the guest is a directory; None where there is no such descriptor."""

    def program_head(self, path: bytes, length: int) -> bytes | None:
        """The first bytes of the file that an execve of this path would run. None where the guest may execute
        nothing there, which is the kernel's to say. Raises PermissionError for a program that can be executed
        and not be read, by the guest or by us."""
