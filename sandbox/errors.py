"""Exceptions of the sandbox. Each knows the exit status a command ends with because of it.

The command line turns these, and nothing else, into one line on standard error and that status.
"""

from __future__ import annotations


class SandboxError(Exception):
    """The sandbox could not be set up, or failed. `str()` is one printable line."""

    exit_code = 125


class UsageError(SandboxError):
    """Wrong use: a bad option or a bad argument."""


class PolicyError(SandboxError):
    """A policy file is wrong. The text names file, line, what was found and what is allowed there."""

    def __init__(self, message: str, *, file: str = "", line: int = 0, allowed: str = "") -> None:
        self.message = message
        self.file = file
        self.line = line
        self.allowed = allowed
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{where}{message}" + (f"; allowed here: {allowed}" if allowed else ""))


class SetupError(SandboxError):
    """A step between fork and exec failed, or the kernel lacks something the policy needs."""


class AuditError(SandboxError):
    """The audit log cannot be written, read, or does not verify."""


class InternalError(SandboxError):
    """Something happened that the supervisor does not understand; every guest is dead."""


class NotRunnableError(SandboxError):
    """The program was found but cannot run here: not an x86-64 ELF, no permission, damaged."""

    exit_code = 126


class NotFoundError(SandboxError):
    """There is no such program."""

    exit_code = 127
