"""What a policy may let a program do that could reach past the sandbox, each by the name its waiver has.

The measure is a program nobody trusts. Making processes and threads is not among them: both stay supervised,
and the supervisor itself refuses what would take a child out of its hands (namespaces in clone's flags,
CLONE_UNTRACED, CLONE_PARENT).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from sandbox.policy.conditions import parse_conditions
from sandbox.policy.groups import expand
from sandbox.policy.model import Condition, Files
from sandbox.policy.source import Source, Table
from sandbox.syscalls import table

Tests = Mapping[str, Any]

UNLISTED = "unlisted"


# Policies of any kind; those whose `[files]` does not confine writing, and those where it does; and those
# under which a program can make files that other users may find.
Scope = Literal["all", "unconfined", "confined", "shared"]


class Door(NamedTuple):
    """Calls (names and @groups, parted by spaces) that weaken a policy where they run with these arguments.

    `when` is as in a `[[rule]]`; without it any arguments do. `scope` says for which policies this counts.
    """

    calls: str
    when: Tests = {}
    scope: Scope = "all"


class Weakening(NamedTuple):
    """One kind of weakening. `name` is what its waiver is called, `why` what it opens."""

    name: str
    why: str
    doors: tuple[Door, ...]


_NAMESPACES = "|".join(
    f"CLONE_NEW{one}" for one in ("TIME", "NS", "CGROUP", "UTS", "IPC", "USER", "PID", "NET")
)
_METADATA = (
    "@chown chmod fchmod fchmodat fchmodat2 file_setattr fremovexattr fsetxattr futimesat lremovexattr "
    "lsetxattr removexattr removexattrat setxattr setxattrat utime utimensat utimes"
)
_WRITES = {"flags": {"mask": "O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", "ne": 0}}
_SET_ID = {"mode": {"mask": 0o6000, "ne": 0}}
_DEVICES = {"mode": {"mask": 0o170000, "in": [0o020000, 0o060000]}}
_OTHERS = {"pid": {"ne": 0}}

WEAKENINGS: tuple[Weakening, ...] = (
    Weakening(UNLISTED, "every call the policy does not name runs", ()),
    Weakening("ptrace", "looks into other processes and steers them", (Door("ptrace kcmp"),)),
    Weakening(
        "process-memory",
        "reads and writes other processes' memory",
        (Door("process_vm_readv process_vm_writev process_madvise"),),
    ),
    Weakening("foreign-descriptors", "takes other processes' open files", (Door("pidfd_getfd"),)),
    Weakening(
        # Not pidfd_send_signal: the supervisor refuses it under every policy.
        "foreign-signals",
        "reaches processes outside the sandbox with signals",
        (
            Door("fcntl", {"cmd": {"in": ["F_SETOWN", "F_SETOWN_EX"]}}),
            Door("ioctl", {"request": {"in": ["FIOSETOWN", "SIOCSPGRP"]}}),
        ),
    ),
    Weakening(
        "foreign-limits",
        "changes limits, priorities or CPUs of other processes, the supervisor among them",
        (
            Door("prlimit64", {**_OTHERS, "new_limit": {"ne": 0}}),
            Door("sched_setaffinity sched_setattr sched_setparam sched_setscheduler", _OTHERS),
            Door("migrate_pages move_pages", _OTHERS),
            Door("setpriority", {"which": {"ne": "PRIO_PROCESS"}}),
            Door("setpriority", {"who": {"ne": 0}}),
            Door("ioprio_set", {"which": {"ne": "IOPRIO_WHO_PROCESS"}}),
            Door("ioprio_set", {"who": {"ne": 0}}),
        ),
    ),
    Weakening(
        "terminal-input",
        "types into the terminal, for the shell to read when the program is gone",
        (Door("ioctl", {"request": {"in": ["TIOCSTI", "TIOCLINUX"]}}),),
    ),
    Weakening(
        "seccomp",
        "installs filters that can answer calls before the supervisor sees them",
        (
            Door("seccomp", {"operation": {"in": ["SECCOMP_SET_MODE_STRICT", "SECCOMP_SET_MODE_FILTER"]}}),
            Door("prctl", {"option": "PR_SET_SECCOMP"}),
        ),
    ),
    Weakening("io-uring", "does input and output that no filter sees", (Door("@uring"),)),
    Weakening(
        "namespaces",
        "enters and makes namespaces, where the kernel has much that an ordinary user can reach",
        (Door("setns"), Door("unshare", {"flags": {"mask": _NAMESPACES, "ne": 0}})),
    ),
    Weakening("mount", "changes what file systems are seen", (Door("@mounting"),)),
    Weakening("file-handles", "opens files past the directories they are in", (Door("open_by_handle_at"),)),
    Weakening(
        "files-anywhere",
        "writes, makes and removes files wherever its user may",
        (
            Door("@path-write openat2", scope="unconfined"),
            Door("open openat", _WRITES, "unconfined"),
        ),
    ),
    Weakening(
        "metadata-anywhere",
        "changes modes, owners, times and attributes of files that [files] does not let it write: the kernel "
        "(Landlock) does not confine these",
        (Door(_METADATA, scope="confined"),),
    ),
    Weakening(
        "set-id-files",
        "makes files that run with their owner's or group's rights, whoever starts them",
        (
            Door("chmod fchmod fchmodat fchmodat2", _SET_ID),
            Door("creat mknod mknodat", _SET_ID, "shared"),
            Door("open openat", {"flags": {"mask": "O_CREAT", "ne": 0}, **_SET_ID}, "shared"),
        ),
    ),
    Weakening("device-files", "makes device files", (Door("mknod mknodat", _DEVICES, "shared"),)),
    Weakening("network", "talks to other machines", (Door("socket", {"domain": {"ne": "AF_UNIX"}}),)),
    Weakening(
        "local-sockets",
        "talks to services of this machine through their sockets",
        (
            Door("socket", {"domain": "AF_UNIX"}),
            Door(
                "socketpair", {"domain": "AF_UNIX", "type": {"mask": 0xF, "in": ["SOCK_DGRAM", "SOCK_RAW"]}}
            ),
        ),
    ),
    Weakening("bpf", "loads programs into the kernel", (Door("bpf"),)),
    Weakening("userfaultfd", "stops the kernel in the middle of reading memory", (Door("userfaultfd"),)),
    Weakening("perf-events", "measures the kernel and other processes", (Door("perf_event_open"),)),
    Weakening("keyring", "reads and changes the user's keys in the kernel", (Door("@keyring"),)),
    Weakening("fanotify", "watches and delays others' use of files", (Door("fanotify_init"),)),
    # Not setuid and its like: without privilege they take only ids the program has.
    Weakening(
        "set-user", "changes its groups or capabilities", (Door("capset setfsgid setfsuid setgroups"),)
    ),
    Weakening("kernel-modules", "loads and removes kernel modules", (Door("@module"),)),
    Weakening("reboot", "restarts the machine, or starts another kernel", (Door("@reboot"),)),
    Weakening("clock", "sets the machine's clock", (Door("@clock"),)),
    Weakening("swap", "changes the machine's swap space", (Door("@swap"),)),
    Weakening("raw-io", "reaches devices through I/O ports", (Door("@raw-io"),)),
    Weakening("modify-ldt", "makes memory segments of its own", (Door("modify_ldt"),)),
    Weakening(
        "machine",
        "changes or reads what belongs to the whole machine",
        (Door("acct quotactl quotactl_fd setdomainname sethostname syslog vhangup"),),
    ),
)
NAMES = tuple(one.name for one in WEAKENINGS)

# Calls of a @group of the policy language, without those that are harmless here.
_PARTS = {
    "@uring": (("io_uring_enter", "io_uring_register", "io_uring_setup"), ()),
    "@mounting": (expand("@mount"), ("listmount", "statmount")),
    "@path-write": (expand("@file-write"), ("copy_file_range", "fallocate", "ftruncate")),
}


def applies(door: Door, files: Files | None) -> bool:
    """Whether a door counts under a policy with this `[files]` (None: without one)."""
    confined = files is not None and not any(path.strip("/") == "" for path in files.write)
    match door.scope:
        case "all":
            return True
        case "unconfined":
            return not confined
        case "confined":
            return confined
        case "shared":
            return files is None or any(map(_is_shared, files.write))


def _is_shared(path: str) -> bool:
    """False for the program's own directory, and for devices, beside which nothing can be made."""
    return not path.startswith(("${scratch}", "/dev/")) or path.startswith("/dev/shm")


def doors(weakening: Weakening, files: Files | None) -> Iterator[tuple[int, tuple[Condition, ...]]]:
    """Every call that weakens a policy with this `[files]` in this way: its number, and conditions."""
    for door in weakening.doors:
        if not applies(door, files):
            continue
        for name in _names(door.calls):
            nr = table.NUMBERS[name]
            yield nr, _conditions(door.when, nr)


def _names(calls: str) -> Iterator[str]:
    for word in calls.split():
        if word in _PARTS:
            names, without = _PARTS[word]
            yield from (name for name in names if name not in without)
        else:
            yield from expand(word) if word.startswith("@") else (word,)


def _conditions(when: Tests, nr: int) -> tuple[Condition, ...]:
    return parse_conditions(Table(Source("", ""), (), dict(when)), nr) if when else ()
