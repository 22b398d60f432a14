"""Task creation: what no policy may allow, and what `[process]` says.

Which flags a guest may use is the policy's matter (`[[rule]]`s for clone). Here stands what would take a
child out of the supervisor's hands, and the limits that need a count.
"""

from __future__ import annotations

import errno

from sandbox.outcome import Allow, Refuse, Verdict
from sandbox.policy.model import Condition, Policy, Process, Rule
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


def _some(bits: int) -> Condition:
    return Condition(0, "notin", (0,), bits)


def _none(bits: int) -> Condition:
    return Condition(0, "in", (0,), bits)


def _rule(call: str, answer: Refuse, *when: Condition) -> Rule:
    return Rule(answer.rule, table.NUMBERS[call], call, when, (), answer)


_ALWAYS = (
    # Its flags lie in guest memory, which can change after they are read (kernel-side copy comes later).
    _rule("clone3", Refuse(errno.ENOSYS, "clone3-unreadable")),
    _rule("clone", Refuse(errno.EPERM, "clone-untraced"), _some(CLONE_UNTRACED | CLONE_PTRACE)),
    _rule("clone", Refuse(errno.EPERM, "clone-namespaces"), _some(_NAMESPACES)),
    _rule("clone", Refuse(errno.EPERM, "clone-parent"), _some(CLONE_PARENT), _none(CLONE_THREAD)),
)
_WITHOUT_THREADS = (
    _rule("clone", Refuse(errno.ENOSYS, "process.threads"), _some(CLONE_THREAD)),
    _rule("clone", Refuse(errno.ENOSYS, "process.threads"), _some(CLONE_VM), _none(CLONE_VFORK)),
)


def refusals(process: Process) -> tuple[Rule, ...]:
    """What is refused whatever the state of the run is."""
    return _ALWAYS if process.threads else (*_ALWAYS, *_WITHOUT_THREADS)


def judge(policy: Policy, call: Call, view: GuestView, allowed: Allow) -> Verdict:
    """Refuse what exceeds `[process]`; else what the policy said."""
    if policy.process.max is not None and view.tasks >= policy.process.max:
        return Refuse(errno.EAGAIN, TASK_LIMIT)
    return allowed
