"""Task creation: what no policy may allow, and what `[process]` says.

Which flags a guest may use is the policy's matter (`[[rule]]`s for clone). Here stands what would take a
child out of the supervisor's hands, and the limits that need a count.
"""

from __future__ import annotations

import errno

from sandbox.outcome import Allow, Refuse, Verdict
from sandbox.policy.model import Policy
from sandbox.rules.view import GuestView
from sandbox.syscalls import table
from sandbox.syscalls.call import Call

CALLS = ("clone", "clone3", "fork", "vfork")

TASK_LIMIT = "process.max"

CLONE_VM = 0x100
CLONE_PTRACE = 0x2000
CLONE_VFORK = 0x4000
CLONE_PARENT = 0x8000
CLONE_THREAD = 0x10000
CLONE_UNTRACED = 0x800000
_NAMESPACES = 0x80 | 0x20000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000

_CLONE = table.NUMBERS["clone"]
_CLONE3 = table.NUMBERS["clone3"]


def judge(policy: Policy, call: Call, view: GuestView, allowed: Allow) -> Verdict:
    """Refuse what cannot be supervised or exceeds `[process]`; else what the policy said."""
    if call.nr == _CLONE3:
        # Its flags lie in guest memory, which can change after they are read (kernel-side copy comes later).
        return Refuse(errno.ENOSYS, "clone3-unreadable")
    if call.nr == _CLONE and (refused := _judge_flags(policy, call.args[0])):
        return refused
    if policy.process.max is not None and view.tasks >= policy.process.max:
        return Refuse(errno.EAGAIN, TASK_LIMIT)
    return allowed


def _judge_flags(policy: Policy, flags: int) -> Refuse | None:
    if flags & (CLONE_UNTRACED | CLONE_PTRACE):
        return Refuse(errno.EPERM, "clone-untraced")
    if flags & _NAMESPACES:
        return Refuse(errno.EPERM, "clone-namespaces")
    thread = bool(flags & CLONE_THREAD)
    if flags & CLONE_PARENT and not thread:
        return Refuse(errno.EPERM, "clone-parent")
    shares_memory = bool(flags & CLONE_VM) and not flags & CLONE_VFORK
    if (thread or shares_memory) and not policy.process.threads:
        return Refuse(errno.ENOSYS, "process.threads")
    return None
