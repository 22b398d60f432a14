"""Decisions and calls in words, as `policy explain` and `policy diff` print them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbox.outcome import Allow, Decision, Emulate, Kill, Refuse, Return, Rewrite
from sandbox.policy.model import RewriteSpec
from sandbox.syscalls import errnos, flags
from sandbox.syscalls.call import Call
from sandbox.syscalls.decode import describe
from sandbox.syscalls.table import arguments, name


def verdict(action: Decision | Rewrite | RewriteSpec, nr: int) -> str:
    """`refuse EINVAL`, `allow`, `return 0`, `rewrite rusage=0`, …"""
    match action:
        case Allow(watch=watch):
            return "watch" if watch else "allow"
        case Refuse(errno=errno):
            return f"refuse {errnos.errno_name(errno)}"
        case Return(value=value):
            return f"return {value}"
        case Kill():
            return "kill"
        case Emulate(name=which):
            return f"emulate {which}"
        case Rewrite(args=args):
            return f"rewrite {_listed(nr, [(index, f'={value:#x}') for index, value in args])}"
        case RewriteSpec(changes=changes):
            return f"rewrite {_listed(nr, [(one[0], _change(*one[1:])) for one in changes])}"


def quiet(action: Decision | RewriteSpec) -> bool:
    """True for an answer that leaves no record in the audit log at its level `decisions`."""
    return isinstance(action, Refuse | Return) and not action.recorded


def _change(keep: int, bits: int) -> str:
    return f"&{keep:#x}" if keep else f"={bits:#x}"


def _listed(nr: int, parts: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"{argument(nr, index)}{text}" for index, text in parts)


def argument(nr: int, index: int) -> str:
    """The name of an argument of a call."""
    found = arguments(nr)
    return found[index].name if index < len(found) else f"arg{index}"


def call(nr: int, values: Mapping[int, int]) -> str:
    """`clone flags=CLONE_VM|CLONE_VFORK|SIGCHLD child_stack=0x0`, with these arguments only."""
    return " ".join([name(nr), *(f"{argument(nr, at)}={shown(nr, at, values[at])}" for at in sorted(values))])


def shown(nr: int, index: int, value: int) -> str:
    """One argument's value as an audit log shows it; of flags, also the bits that the kernel doesn't read."""
    args = [0] * 6
    args[index] = value
    a, b, c, d, e, f = args
    described = describe(Call(nr, (a, b, c, d, e, f)), lambda address: None)
    arg = arguments(nr)[index] if index < len(arguments(nr)) else None
    if arg is None:
        return hex(value)
    return flags.format(arg.flags, value) if arg.flags else str(described[arg.name])
