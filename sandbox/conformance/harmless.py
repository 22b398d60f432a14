"""Arguments with which a call does nothing, and calls that would end, block or change a prober anyway.

By default pointers are NULL, descriptors -1, and sizes, flags and signals 0. Where that would do something
(`select` would wait for ever, `seccomp` would begin strict mode), other values stand here. What no arguments
make harmless is named with its reason, so that a report can say what was not tried.
"""

from __future__ import annotations

from collections.abc import Callable

from sandbox.syscalls import table
from sandbox.syscalls.call import MASK64, Call

Args = tuple[int, int, int, int, int, int]

_NO_PID = 0x7FFF_FFFE  # above the largest pid there can be (proc_sys_kernel(5): 4194304)
_NO_KEY = 0x5BD1_E995  # any but IPC_PRIVATE: without IPC_CREAT, msgget and its like only look for it
_MINUS = MASK64
_SIGCHLD, _CLONE_VM, _SPAWN = 17, 0x100, 0x4111

# By call, the values that differ from the default: argument name to value.
_BASE: dict[str, dict[str, int]] = {
    # No set of descriptors is this large: EINVAL instead of waiting for ever.
    "select": {"nfds": _MINUS},
    "pselect6": {"nfds": _MINUS},
    "poll": {"nfds": _MINUS},
    "ppoll": {"nfds": _MINUS},
    "kill": {"pid": _NO_PID},
    "clone": {"flags": _SIGCHLD},
    "ptrace": {"op": _MINUS},
    "seccomp": {"operation": _MINUS},
    "keyctl": {"op": _MINUS},
    "modify_ldt": {"func": _MINUS},
    "close_range": {"first": 0xFFFF_FFFF, "last": 0xFFFF_FFFF},
    "personality": {"persona": 0xFFFF_FFFF},  # only asks
    # No such limit: 0 would be the one on CPU time, set to what a pointer that is tried happens to lead to.
    "prlimit64": {"resource": _MINUS},
    "setrlimit": {"resource": _MINUS},
    "msgget": {"key": _NO_KEY},
    "semget": {"key": _NO_KEY},
    "shmget": {"key": _NO_KEY},
    # -1 is "leave it as it is", or no id at all.
    "setuid": {"uid": _MINUS},
    "setgid": {"gid": _MINUS},
    "setreuid": {"ruid": _MINUS, "euid": _MINUS},
    "setregid": {"rgid": _MINUS, "egid": _MINUS},
    "setresuid": {"ruid": _MINUS, "euid": _MINUS, "suid": _MINUS},
    "setresgid": {"rgid": _MINUS, "egid": _MINUS, "sgid": _MINUS},
    "setfsuid": {"fsuid": _MINUS},
    "setfsgid": {"fsgid": _MINUS},
}

_ENDS = "ends the prober"
_UNSAFE: dict[str, str] = {
    "exit": _ENDS,
    "exit_group": _ENDS,
    "rt_sigreturn": "returns from a signal handler, and there is none",
    "pause": "waits for a signal that does not come",
    "sync": "waits for all disks of the machine",
    "setsid": "moves the prober to another process group, where rules about groups differ",
    "setpgid": "moves the prober to another process group, where rules about groups differ",
}

# Not asked of any filter since Linux 6.14 (uretprobe) and 6.18 (uprobe): kernel/seccomp.c.
UNFILTERED = frozenset({table.NUMBERS["uretprobe"], table.NUMBERS["uprobe"]})


POINTERS = frozenset({"ptr", "path", "str", "argv"})
_PAGE = 0x1000  # nothing is ever mapped below it (proc_sys_vm(5), mmap_min_addr)
_FREE = range(1 << 45, 0x5500_0000_0000)  # between programs at fixed addresses and those at random ones
_PROGRAM = range(0x40_0000, 0x100_0000)  # the prober's own text, data and arena


def leads_nowhere(address: int) -> bool:
    """Whether nothing is mapped at this address in any program that may make calls."""
    return address < _PAGE or address in _FREE or address >= 1 << 47


def reaches_prober(call: Call) -> bool:
    """Whether an argument is an address in the prober's own program."""
    arguments = zip(table.arguments(call.nr), call.args, strict=False)
    return any(arg.kind in POINTERS and value in _PROGRAM for arg, value in arguments)


def base(nr: int) -> Args:
    """Arguments with which call `nr`, let run, does nothing that lasts."""
    special = _BASE.get(table.name(nr), {})
    values = [special.get(arg.name, _default(arg.kind)) for arg in table.arguments(nr)]
    padded = [*values, *(0,) * (6 - len(values))]
    return padded[0], padded[1], padded[2], padded[3], padded[4], padded[5]


def _default(kind: str) -> int:
    return MASK64 if kind in ("fd", "dirfd") else 0


def danger(call: Call) -> str:
    """Why this call must not be let run by a prober; '' where it may be."""
    name = table.name(call.nr)
    if name in _UNSAFE:
        return _UNSAFE[name]
    named = {arg.name: value for arg, value in zip(table.arguments(call.nr), call.args, strict=False)}
    check = _CHECKS.get(name)
    return (check(named) if check else "") or _uses_descriptor(call)


def _uses_descriptor(call: Call) -> str:
    for arg, value in zip(table.arguments(call.nr), call.args, strict=False):
        if arg.kind == "fd" and value & 0xFFFF_FFFF < 1024:
            return "would use, change or close a descriptor of the prober"
    return ""


_Named = dict[str, int]


def _signal(named: _Named) -> str:
    target = named["pid"] & 0xFFFF_FFFF
    sends = named["sig"] & 0xFFFF_FFFF and target != _NO_PID
    return "would send the prober a signal" if sends else ""


def _large(named: _Named) -> str:
    return "would change the prober's memory" if _length(named) > 0x10000 else ""


def _length(named: _Named) -> int:
    return next((named[one] for one in ("length", "len", "size", "old_size") if one in named), 0)


def _memory(named: _Named) -> str:
    address = next((named[one] for one in ("addr", "old_address") if one in named), 0)
    changes = address and _length(named)
    return "would change the prober's memory" if changes else _large(named)


_WAITS = "would wait for ever"


def _select(named: _Named) -> str:
    return "" if named["nfds"] & 1 << 31 else _WAITS


def _poll(named: _Named) -> str:
    nothing_wrong = named["fds"] or named["nfds"] & 0xFFFF_FFFF == 0
    at_once = "timeout" in named and named["timeout"] & 0xFFFF_FFFF == 0
    return _WAITS if nothing_wrong and not at_once else ""


def _futex(named: _Named) -> str:
    # FUTEX_WAIT, FUTEX_LOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI2
    waits = named["op"] & 0x7F in (0, 6, 9, 11, 13)
    return _WAITS if waits and named["uaddr"] else ""


def _waits_with(*names: str) -> Callable[[_Named], str]:
    """For calls that wait where these arguments are given."""
    return lambda named: _WAITS if all(named[one] for one in names) else ""


def _alarm(named: _Named) -> str:
    return "would send the prober a signal" if named["seconds"] & 0xFFFF_FFFF else ""


def _mmap(named: _Named) -> str:
    fixed = named["flags"] & 0x10 and named["length"]
    return "would map over the prober's memory" if fixed else _large(named)


def _prctl(named: _Named) -> str:
    # PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_MM, PR_SET_SYSCALL_USER_DISPATCH
    changes = named["option"] & 0xFFFF_FFFF in (4, 22, 35, 59)
    return "would hide the prober, or change how it makes calls" if changes else ""


def _seccomp(named: _Named) -> str:
    strict = named["operation"] & 0xFFFF_FFFF == 0
    return "would let the prober make four calls only" if strict else ""


def _unshare(named: _Named) -> str:
    return "would move the prober to a new namespace" if any(named.values()) else ""


def _system_v(named: _Named) -> str:
    makes = named["key"] & 0xFFFF_FFFF == 0 or any(
        named[one] & 0o1000 for one in named if one.endswith("flg")
    )
    return "would make an object that outlives the run" if makes else ""


def _close_range(named: _Named) -> str:
    return "would close the prober's descriptors" if named["first"] & 0xFFFF_FFFF < 1024 else ""


def _clone(named: _Named) -> str:
    shares = named["flags"] & _CLONE_VM and not (named["flags"] == _SPAWN and named["child_stack"])
    return "would make a task that shares the prober's memory" if shares else ""


_CHECKS: dict[str, Callable[[_Named], str]] = {
    "kill": _signal,
    "alarm": _alarm,
    "select": _select,
    "pselect6": _select,
    "poll": _poll,
    "ppoll": _poll,
    "futex": _futex,
    "futex_wait": _waits_with("uaddr"),
    "futex_waitv": _waits_with("waiters"),
    "nanosleep": _waits_with("duration"),
    "clock_nanosleep": _waits_with("t"),
    "rt_sigsuspend": _waits_with("mask", "sigsetsize"),
    "rt_sigtimedwait": _waits_with("set", "sigsetsize"),
    "remap_file_pages": _memory,
    "mmap": _mmap,
    "munmap": _memory,
    "mprotect": _memory,
    "pkey_mprotect": _memory,
    "mremap": _memory,
    "madvise": _memory,
    "mlock": _memory,
    "mlock2": _memory,
    "mseal": _memory,
    "map_shadow_stack": _memory,
    "prctl": _prctl,
    "seccomp": _seccomp,
    "unshare": _unshare,
    "msgget": _system_v,
    "semget": _system_v,
    "shmget": _system_v,
    "close_range": _close_range,
    "clone": _clone,
}
