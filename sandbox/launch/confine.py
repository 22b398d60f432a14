"""`[files]` as a Landlock ruleset (landlock(7)): the kernel, not the supervisor, decides about paths.

A ruleset is made by the supervisor and put on by the guest's process before its filter. What a kernel's
ABI does not know is left out and named in what `enforcement` says.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sandbox._kernel import calls
from sandbox.errors import SetupError, UsageError
from sandbox.launch.places import Places
from sandbox.launch.scratch import Written
from sandbox.output_file import OutputFile
from sandbox.policy.model import Files, Network
from sandbox.policy.sections import PATH_NAMES
from sandbox.rules.files import Right

# linux/landlock.h
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_CHAR, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8
MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM, REFER = 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1
SCOPE_ABSTRACT_UNIX, SCOPE_SIGNAL = 1 << 0, 1 << 1

READ = READ_FILE | READ_DIR
WRITE = (
    READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | MAKE_FIFO | MAKE_SYM
    | REFER | TRUNCATE | IOCTL_DEV
)  # fmt: skip
EXEC = EXECUTE | READ_FILE
ON_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

# What each ABI added: (version, file rights, network rights, scopes, what is missing without it).
_ABIS = (
    (1, (1 << 13) - 1, 0, 0, ""),
    (2, REFER, 0, 0, "links and renames between directories (Linux 5.19)"),
    (3, TRUNCATE, 0, 0, "truncation (Linux 6.2)"),
    (4, 0, BIND_TCP | CONNECT_TCP, 0, "TCP ports (Linux 6.7)"),
    (5, IOCTL_DEV, 0, 0, "device ioctls (Linux 6.10)"),
    (6, 0, 0, SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL, "abstract sockets and signals (Linux 6.12)"),
)


class Confinement(NamedTuple):
    """A ruleset descriptor (-1: none), how much of what was asked it enforces, and the paths it allows."""

    ruleset: int
    enforcement: str
    allowed: dict[Right, tuple[str, ...]] = {}


class _Rights(NamedTuple):
    files: int
    network: int
    scoped: int
    missing: str


def _known(abi: int) -> _Rights:
    files = network = scoped = 0
    missing = []
    for version, file_rights, network_rights, scopes, lack in _ABIS:
        if version <= abi:
            files, network, scoped = files | file_rights, network | network_rights, scoped | scopes
        else:
            missing.append(lack)
    return _Rights(files, network, scoped, ", ".join(missing))


def confine(
    files: Files | None, places: Places, *, network: Network | None = None, waived: bool = False
) -> Confinement:
    """The ruleset for `[files]` and `[network]`, on the descriptors of `places`.

    Raises SetupError where the kernel has no Landlock and the lack is not waived, or refuses the ruleset.
    """
    if files is None and network is None:
        return Confinement(-1, "not asked for")
    abi = calls.landlock_abi()
    if abi == 0:
        if waived:
            return Confinement(-1, "none: no Landlock in this kernel (waived)")
        raise SetupError(
            "this kernel has no Landlock (Linux 5.13), so [files] and [network] cannot be enforced; "
            "accept that with --waive landlock=REASON"
        )
    known = _known(abi)
    if network is not None and network.families and not known.network and not waived:
        raise SetupError(
            "this kernel's Landlock knows no TCP ports (Linux 6.7), so [network] would allow all of them; "
            "accept that with --waive landlock=REASON"
        )
    try:
        handled = known.files if files is not None else 0
        ports = known.network if network is not None else 0
        ruleset = calls.landlock_ruleset(handled, ports, known.scoped)
        found = {} if files is None else _allow(ruleset, files, places, known.files)
        _allow_ports(ruleset, network, ports)
    except OSError as error:
        raise SetupError(f"cannot confine files: {error.strerror}") from None
    enforcement = f"partial: without {known.missing}" if known.missing else "full"
    return Confinement(ruleset, enforcement, _by_right(files, found) if files is not None else {})


def _allow_ports(ruleset: int, network: Network | None, known: int) -> None:
    if network is None or not network.families or not known:
        return
    for ports, right in ((network.connect, CONNECT_TCP), (network.bind, BIND_TCP)):
        for port in ports:
            calls.landlock_port(ruleset, port, right)


def _allow(ruleset: int, files: Files, places: Places, known: int) -> dict[str, str]:
    """Allow what `[files]` says, by one rule for each path. Returns where each was found.

    Paths that do not exist here are no error: a policy names the places of many systems.
    """
    wanted: dict[str, int] = {}
    for texts, rights in ((files.read, READ), (files.write, WRITE), (files.exec, EXEC)):
        for text in texts:
            wanted[text] = wanted.get(text, 0) | rights
    found = {}
    for text, rights in wanted.items():
        with places.opened(text) as place:
            if place is not None:
                kind = known if place.directory else known & ON_A_FILE
                calls.landlock_path(ruleset, place.fd, rights & kind)
                found[text] = place.path
    return found


def _by_right(files: Files, found: Mapping[str, str]) -> dict[Right, tuple[str, ...]]:
    """Paths as they were found, by what they allow: what may be written may be read as well. So may what is
    executed, but not listed (EXEC), which `sandbox.rules.files` knows."""
    read, write, run = (
        tuple(found[text] for text in texts if text in found)
        for texts in (files.read, files.write, files.exec)
    )
    return {"read": (*read, *write), "write": write, "exec": run}


def written(files: Files | None, places: Places) -> list[Written]:
    """The places that may be written and are there, but for the run's own scratch directory."""
    texts = () if files is None else files.write
    found = places.find_all(text for text in texts if not text.startswith("${scratch}"))
    return [Written(place.path, os.fstat(place.fd)) for place in found]


def expand(paths: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Paths with `${name}` at their start replaced; those with a name that has no value here are left out."""
    result = []
    for path in paths:
        if path.startswith("${"):
            name, _, rest = path[2:].partition("}")
            if name not in names:
                continue
            path = names[name] + rest
        result.append(path)
    return result


def expanded(values: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """An environment with `${name}` replaced in values that start with it; without a value here, left out."""
    result = {}
    for variable, value in values.items():
        if value.startswith(tuple(f"${{{name}}}" for name in PATH_NAMES)):
            for place in expand((value,), names):
                result[variable] = place
        else:
            result[variable] = value
    return result


def check_kept_from(
    files: Files | None, places: Places, kept: Iterable[tuple[str, OutputFile | None]]
) -> None:
    """Raises UsageError where a guest could write a file that tells of it: `kept` is (option, file)."""
    if files is None:
        return
    roots = [place.fd for place in places.find_all(files.write)]
    for option, file in kept:
        if file is not None and _is_within(option, file, roots):
            raise UsageError(f"{option} {file.path}: the guest may write there; choose a place it may not")


def _is_within(option: str, file: OutputFile, roots: list[int]) -> bool:
    try:
        return file.is_within(roots)
    except OSError as error:
        raise UsageError(f"{option} {file.path}: {error.strerror}") from None
