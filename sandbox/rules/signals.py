"""Signals to others: a guest reaches guests only, never the supervisor or anybody else's process.

A signal to a group that holds others too (the guest's first one is its caller's), or to everybody, goes to
the guests among them: the supervisor sends it, process by process.
"""

from __future__ import annotations

import errno

from sandbox.outcome import Allow, Refuse, Return, Verdict
from sandbox.policy.model import Policy, Process, Rule
from sandbox.rules.view import GuestView
from sandbox.syscalls import table
from sandbox.syscalls.call import Call, signed_32

CALLS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open", "pidfd_send_signal")

_KILL = table.NUMBERS["kill"]
_WITH_THREAD = {table.NUMBERS["tgkill"], table.NUMBERS["rt_tgsigqueueinfo"]}
_OUTSIDE = "signals-outside"
_LAST_SIGNAL = 64
_PIDFD_SEND = "pidfd_send_signal"
# /proc/PID, opened, serves as a pidfd of anybody's process (pidfd_send_signal(2)).
_NO_PIDFD = Rule(_OUTSIDE, table.NUMBERS[_PIDFD_SEND], _PIDFD_SEND, (), (), Refuse(errno.ENOSYS, _OUTSIDE))


def refusals(process: Process) -> tuple[Rule, ...]:
    """What is refused whatever the state of the run is."""
    return (_NO_PIDFD,)


def judge(policy: Policy, call: Call, view: GuestView, allowed: Allow) -> Verdict:
    """Allow a target within the run, as kill(2) finds it; ESRCH for any other, as if it did not exist."""
    target = signed_32(call.args[0])
    if call.nr == _KILL and target <= 0:
        return _judge_group(target, signed_32(call.args[1]), view, allowed)
    targets = (target, signed_32(call.args[1])) if call.nr in _WITH_THREAD else (target,)
    # The kernel answers EINVAL for these without looking for anybody.
    if any(pid <= 0 for pid in targets):
        return allowed
    return allowed if all(view.is_guest(pid) for pid in targets) else Refuse(errno.ESRCH, _OUTSIDE)


def _judge_group(target: int, signo: int, view: GuestView, allowed: Allow) -> Verdict:
    group = view.own_group() if target == 0 else -target
    if target != -1 and view.is_guest_group(group):
        return allowed
    members = view.guests() - {view.pid} if target == -1 else view.guests_in_group(group)
    if not 0 <= signo <= _LAST_SIGNAL:
        return Refuse(errno.EINVAL, allowed.rule)
    if not members:
        return Refuse(errno.ESRCH, _OUTSIDE)
    return Return(0, _OUTSIDE, signals=tuple((pid, signo) for pid in sorted(members)))
