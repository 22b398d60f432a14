"""Answers that need guest memory or the caller's identity: the emulations a policy names.

They give ostoo's behaviour (its per-call pages) on Linux; `sandbox.policy.emulations` lists the names.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable

from sandbox.outcome import Allow, Emulate, Refuse, Return, Verdict, Write
from sandbox.rules import metadata
from sandbox.rules.execve import is_x86_64_elf
from sandbox.rules.view import GuestView
from sandbox.syscalls.call import Call

S_IFCHR_0666 = 0o020666
MAX_ARGUMENTS = 256
_CPUSET_LIMIT = 1 << 16
_MODE_OFFSET = 24  # st_mode in struct stat, x86-64
_STAT_SIZE = 144


def answer(wish: Emulate, call: Call, view: GuestView) -> Verdict:
    """The verdict of the emulation `wish` names. Raises OSError (ESRCH) where the task vanished."""
    if wish.name in _METADATA:
        try:
            return _METADATA[wish.name](wish, call, view)
        except ProcessLookupError:
            raise
        except OSError as error:
            return Refuse(error.errno or errno.EFAULT, wish.rule)
    return _EMULATIONS[wish.name](wish.rule, call, view)


def _zero_clock(rule: str, call: Call, view: GuestView) -> Verdict:
    return Return(0, rule, (Write(call.args[1], bytes(16)),))


def _char_device_stat(rule: str, call: Call, view: GuestView) -> Verdict:
    stat = bytearray(_STAT_SIZE)
    struct.pack_into("<I", stat, _MODE_OFFSET, S_IFCHR_0666)
    return Return(0, rule, (Write(call.args[1], bytes(stat)),))


def _one_cpu(rule: str, call: Call, view: GuestView) -> Verdict:
    size = call.args[1] & 0xFFFF_FFFF
    if not 0 < size <= _CPUSET_LIMIT:
        return Refuse(errno.EINVAL, rule)
    return Return(size, rule, (Write(call.args[2], b"\1" + bytes(size - 1)),))


def _own_pid(rule: str, call: Call, view: GuestView) -> Verdict:
    return Return(view.pid, rule)


def _directory_only(rule: str, call: Call, view: GuestView) -> Verdict:
    return Allow(rule) if view.is_directory(call.args[0] & 0xFFFF_FFFF) else Refuse(errno.ENOTTY, rule)


def _elf_exec(rule: str, call: Call, view: GuestView) -> Verdict:
    try:
        path = view.read_string(call.args[0])
        too_many = call.args[1] != 0 and _more_arguments_than(MAX_ARGUMENTS, call.args[1], view)
    except ProcessLookupError:
        raise
    except OSError as error:
        return Refuse(error.errno or errno.EFAULT, rule)
    try:
        head = view.program_head(path, 20)
    except PermissionError:
        return Refuse(errno.EACCES, "exec-unreadable")
    if head is not None and not is_x86_64_elf(head):
        return Refuse(errno.ENOEXEC, rule)
    return Refuse(errno.EINVAL, rule) if too_many else Allow(rule)


def _more_arguments_than(limit: int, vector: int, view: GuestView) -> bool:
    return all(view.read(vector + 8 * index, 8) != bytes(8) for index in range(limit + 1))


_METADATA: dict[str, Callable[[Emulate, Call, GuestView], Verdict]] = {
    "confined-mode": metadata.mode,
    "confined-owner": metadata.owner,
    "confined-times": metadata.times,
}
_EMULATIONS: dict[str, Callable[[str, Call, GuestView], Verdict]] = {
    "zero-clock": _zero_clock,
    "char-device-stat": _char_device_stat,
    "one-cpu": _one_cpu,
    "own-pid": _own_pid,
    "directory-only": _directory_only,
    "elf-exec": _elf_exec,
}
