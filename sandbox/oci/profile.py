"""A seccomp profile as a frozen value: what Docker's format and the OCI runtime specification's share.

The fields are those of the runtime specification's `linux.seccomp` (config-linux.md, 1.2), of Docker's
profiles (archMap, includes, excludes, comment, name) and of Podman's (errno, defaultErrno).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sandbox.oci.source import Node
from sandbox.policy.values import quote
from sandbox.syscalls.errnos import errno_number

EPERM = 1

ACTIONS = (
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
)
OPERATORS = tuple(f"SCMP_CMP_{op}" for op in ("EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ"))
FLAGS = tuple(f"SECCOMP_FILTER_FLAG_{flag}" for flag in ("TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"))
_CAPABILITIES = """
    AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE
    DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD
    NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN
    SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME
    SYS_TTY_CONFIG WAKE_ALARM
"""
# capabilities(7), Linux 5.9 and later.
CAPABILITIES = tuple(f"CAP_{name}" for name in _CAPABILITIES.split())
_WITH_ERRNO = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
_TOP = (
    "defaultAction", "defaultErrnoRet", "defaultErrno", "architectures", "archMap", "flags", "listenerPath",
    "listenerMetadata", "syscalls", "comment",
)  # fmt: skip
_ENTRY = ("names", "name", "action", "errnoRet", "errno", "args", "comment", "includes", "excludes")
_KERNEL = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})(?![0-9])")
_MOST_REMARKS = 100
_MAX_DATA = 0xFFFF
_MAX64 = (1 << 64) - 1


class Action(NamedTuple):
    """What a profile does with a call. SCMP_ACT_KILL is SCMP_ACT_KILL_THREAD, as in libseccomp's header.

    `data` is the errno, 0 where the action has none.
    """

    name: str
    data: int = 0

    def __str__(self) -> str:
        return f"{self.name}({self.data})" if self.name in _WITH_ERRNO else self.name


class Comparison(NamedTuple):
    """One element of `args`: of a MASKED_EQ, `value` is the mask and `value_two` what is compared."""

    path: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which no comparison needs
    op: str
    value: int
    value_two: int


class Conditions(NamedTuple):
    """`includes` or `excludes`: when an entry counts."""

    caps: tuple[str, ...] = ()
    arches: tuple[str, ...] = ()
    min_kernel: tuple[int, int] | None = None


class Entry(NamedTuple):
    """One element of `syscalls`."""

    path: str
    names: tuple[str, ...]
    action: Action
    args: tuple[Comparison, ...]
    comment: str
    includes: Conditions
    excludes: Conditions


class Profile(NamedTuple):
    """A whole profile. `architectures` are those beside x86-64 it is for, on an x86-64 machine.

    `unknown` are the paths of keys that are in none of the formats.
    """

    default: Action
    architectures: tuple[str, ...]
    flags: tuple[str, ...]
    listener: bool
    entries: tuple[Entry, ...]
    comments: tuple[str, ...]
    unknown: tuple[str, ...]


def parse_profile(root: Node) -> Profile:
    """The profile in a profile's JSON, or under `linux.seccomp` in a container's config.json.

    Raises PolicyError for whatever is wrong with it.
    """
    top = _section(root)
    unknown = top.unknown(_TOP)
    default = _action(top, "defaultAction", "defaultErrnoRet", "defaultErrno")
    listed = top.at("syscalls")
    entries = tuple(_entry(node, unknown) for node in listed.items()) if listed else ()
    return Profile(
        default=default,
        architectures=_architectures(top),
        flags=tuple(flag.choice(FLAGS) for flag in _items(top, "flags")),
        listener=top.at("listenerPath") is not None,
        entries=entries,
        comments=_comments(top),
        unknown=tuple(unknown),
    )


def _section(root: Node) -> Node:
    linux = root.at("linux")
    if linux is None:
        return root
    return linux.require("seccomp")


def _items(node: Node, key: str) -> list[Node]:
    found = node.at(key)
    return found.items() if found else []


def _texts(node: Node, key: str) -> tuple[str, ...]:
    return tuple(one.text() for one in _items(node, key))


def _comments(top: Node) -> tuple[str, ...]:
    found = top.at("comment")
    if found is None:
        return ()
    remarks = [found] if isinstance(found.value, str) else found.items()
    return tuple(remark.remark() for remark in remarks[:_MOST_REMARKS])


def _architectures(top: Node) -> tuple[str, ...]:
    """The architectures a guest may use beside x86-64's own, which libseccomp always has there."""
    plain, mapped = _texts(top, "architectures"), top.at("archMap")
    found = list(plain)
    for one in mapped.items() if mapped else ():
        if plain:
            raise one.error("archMap beside architectures", "one of them")
        subs = _texts(one, "subArchitectures")
        if one.require("architecture").text() == "SCMP_ARCH_X86_64":
            found += subs
    return tuple(dict.fromkeys(arch for arch in found if arch in ("SCMP_ARCH_X86", "SCMP_ARCH_X32")))


def _action(node: Node, key: str, number: str, name: str) -> Action:
    """An action and its errno, which counts as EPERM where there is none."""
    action = node.require(key).choice(ACTIONS)
    errno = _errno(node, number, name)
    if action not in _WITH_ERRNO:
        if errno is not None:
            raise node.error(f"{action} takes no errno", "SCMP_ACT_ERRNO or SCMP_ACT_TRACE")
        return Action("SCMP_ACT_KILL_THREAD" if action == "SCMP_ACT_KILL" else action)
    return Action(action, EPERM if errno is None else errno)


def _errno(node: Node, number: str, name: str) -> int | None:
    numbered, named = node.at(number), node.at(name)
    found = numbered.whole(0, _MAX_DATA) if numbered else None
    if named is None or named.value == "":
        return found
    known = errno_number(named.text())
    if known is None:
        raise named.error(f"{quote(named.value)} is no errno", 'such as "ENOSYS"')
    if found not in (None, known):
        raise named.error(f"it is not the errno that {number} says", "one of them")
    return known


def _entry(node: Node, unknown: list[str]) -> Entry:
    unknown += node.unknown(_ENTRY)
    comment = node.at("comment")
    return Entry(
        path=node.path,
        names=_names(node),
        action=_action(node, "action", "errnoRet", "errno"),
        args=tuple(_comparison(one, unknown) for one in _items(node, "args")),
        comment=comment.remark() if comment else "",
        includes=_conditions(node, "includes", unknown),
        excludes=_conditions(node, "excludes", unknown),
    )


def _names(node: Node) -> tuple[str, ...]:
    name, names = node.at("name"), _texts(node, "names")
    if name is not None and name.value != "":
        if names:
            raise name.error("name beside names", "one of them")
        return (name.text(),)
    if not names:
        raise node.error("an entry for no call", '"names": ["…"]')
    return tuple(dict.fromkeys(names))


def _comparison(node: Node, unknown: list[str]) -> Comparison:
    unknown += node.unknown(("index", "value", "valueTwo", "op"))
    second = node.at("valueTwo")
    return Comparison(
        path=node.path,
        index=node.require("index").whole(0, 5),
        op=node.require("op").choice(OPERATORS),
        value=node.require("value").whole(0, _MAX64),
        value_two=second.whole(0, _MAX64) if second else 0,
    )


def _conditions(node: Node, key: str, unknown: list[str]) -> Conditions:
    found = node.at(key)
    if found is None:
        return Conditions()
    unknown += found.unknown(("caps", "arches", "minKernel"))
    least = found.at("minKernel")
    return Conditions(_texts(found, "caps"), _texts(found, "arches"), _least_kernel(least))


def _least_kernel(node: Node | None) -> tuple[int, int] | None:
    if node is None or node.value == "":
        return None
    version = parse_kernel(node.text())
    if version is None:
        raise node.error(f"it can't be {quote(node.value)}", 'a kernel version such as "4.8"')
    return version


def parse_kernel(release: str) -> tuple[int, int] | None:
    """The first two numbers of a kernel's version, such as `6.1.0-13-amd64`; None where there are none."""
    found = _KERNEL.match(release)
    return (int(found[1]), int(found[2])) if found else None
