"""What a policy does instead of a profile's actions: never more than the profile lets happen."""

from __future__ import annotations

from typing import Literal, NamedTuple

from sandbox.oci.profile import EPERM, Action
from sandbox.policy.model import ENOSYS
from sandbox.syscalls.errnos import NUMBERS, errno_name

_KNOWN_ERRNOS = frozenset(NUMBERS.values())

Kind = Literal["kill", "errno", "return", "watch", "allow"]
_STRICTEST_FIRST: tuple[Kind, ...] = ("kill", "errno", "return", "watch", "allow")


class Answer(NamedTuple):
    """A verdict of the policy language; `errno` counts where the kind is errno. `return` is of 0."""

    kind: Kind
    errno: int = 0

    @property
    def rank(self) -> int:
        """Smaller is stricter."""
        return _STRICTEST_FIRST.index(self.kind)

    @property
    def word(self) -> str:
        """How a policy file writes it."""
        return errno_name(self.errno) if self.kind == "errno" else self.kind


def strictest(one: Answer, other: Answer) -> Answer:
    """The stricter of the two, the first where neither is."""
    return min(one, other, key=lambda answer: answer.rank)


def answer(action: Action) -> tuple[Answer, str]:
    """What stands for an action, and what is lost by that ('' where nothing is)."""
    match action.name:
        case "SCMP_ACT_ALLOW":
            return Answer("allow"), ""
        case "SCMP_ACT_KILL_PROCESS":
            return Answer("kill"), ""
        case "SCMP_ACT_ERRNO":
            return _errno(action.data)
        case "SCMP_ACT_KILL_THREAD":
            return Answer("kill"), "it kills one thread, the policy the whole process"
        case "SCMP_ACT_TRAP":
            return Answer("kill"), "it sends SIGSYS, which a handler can catch; the policy kills"
        case "SCMP_ACT_LOG":
            return Answer("watch"), "it logs to the kernel's audit; the policy records in its own log"
        case "SCMP_ACT_TRACE":
            return Answer("errno", ENOSYS), "it asks a tracer; the policy refuses with ENOSYS"
        case _:
            return Answer("errno", ENOSYS), "it asks an agent; the policy refuses with ENOSYS"


def _errno(number: int) -> tuple[Answer, str]:
    # SECCOMP_RET_ERRNO with data 0 makes the call return 0 without running it (seccomp(2)).
    if number == 0:
        return Answer("return"), ""
    if number in _KNOWN_ERRNOS:
        return Answer("errno", number), ""
    return Answer("errno", EPERM), f"errno {number} has no name; the policy refuses with EPERM"
