"""Signals to others: a guest reaches guests only, never the supervisor or anybody else's process."""

from __future__ import annotations

import errno

from sandbox.outcome import Allow, Refuse, Verdict
from sandbox.policy.model import Policy
from sandbox.rules.view import GuestView
from sandbox.syscalls import table
from sandbox.syscalls.call import Call

CALLS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open")

_KILL = table.NUMBERS["kill"]
_WITH_THREAD = {table.NUMBERS["tgkill"], table.NUMBERS["rt_tgsigqueueinfo"]}
_OUTSIDE = "signals-outside"


def _signed(value: int) -> int:
    value &= 0xFFFF_FFFF
    return value - (1 << 32) if value >> 31 else value


def judge(policy: Policy, call: Call, view: GuestView, allowed: Allow) -> Verdict:
    """Refuse a target outside the run: ESRCH for one task, as if it did not exist; EPERM for a group."""
    target = _signed(call.args[0])
    if call.nr == _KILL and target <= 0:
        return _judge_group(target, view, allowed)
    targets = (target, _signed(call.args[1])) if call.nr in _WITH_THREAD else (target,)
    # The kernel answers EINVAL for these without looking for anybody.
    if any(pid <= 0 for pid in targets):
        return allowed
    return allowed if all(view.is_guest(pid) for pid in targets) else Refuse(errno.ESRCH, _OUTSIDE)


def _judge_group(target: int, view: GuestView, allowed: Allow) -> Verdict:
    if target == -1:
        return Refuse(errno.EPERM, _OUTSIDE)
    group = view.own_group() if target == 0 else -target
    return allowed if view.is_guest_group(group) else Refuse(errno.EPERM, _OUTSIDE)
