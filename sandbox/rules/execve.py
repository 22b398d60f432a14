"""execve: only x86-64 images. A 32-bit one would talk to the kernel in another ABI.

The file may change between this look and the kernel's; the supervisor looks at the new image again
before its first instruction, so this refusal is a courtesy (an errno instead of a death).
"""

from __future__ import annotations

import errno

from sandbox.outcome import Allow, Refuse, Verdict
from sandbox.policy.model import Policy
from sandbox.rules.view import GuestView
from sandbox.syscalls import table
from sandbox.syscalls.call import Call

CALLS = ("execve", "execveat")

_EXECVE = table.NUMBERS["execve"]
_ELF64_LSB = b"\x7fELF\x02\x01"
_EM_X86_64 = b"\x3e\x00"


def is_x86_64_elf(head: bytes) -> bool:
    """True where the first 20 bytes of a file say: 64-bit little-endian ELF for x86-64 (elf(5))."""
    return head.startswith(_ELF64_LSB) and head[18:20] == _EM_X86_64


def judge(policy: Policy, call: Call, view: GuestView, allowed: Allow) -> Verdict:
    """Refuse a foreign ELF with ENOEXEC; scripts and what cannot be read are the kernel's to judge."""
    if call.nr != _EXECVE:
        return allowed
    try:
        path = view.read_string(call.args[0])
    except ProcessLookupError:
        raise
    except OSError:
        return allowed  # the kernel has the errno, or reads what we cannot
    try:
        head = view.program_head(path, 20)
    except PermissionError:
        # Nobody could look at what runs then: a process running a file it may not read is undumpable.
        return Refuse(errno.EACCES, "exec-unreadable")
    if head is not None and head.startswith(b"\x7fELF") and not is_x86_64_elf(head):
        return Refuse(errno.ENOEXEC, "exec-foreign")
    return allowed
