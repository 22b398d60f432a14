"""A guest's empty network namespace, made by an ordinary user in a user namespace; and doing without.

What this kernel gives is found out here by trying; refusals are made by a seccomp filter around the command,
or by a limit of zero in a user namespace around it.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sandbox.launch.namespaces import NETWORK_AND_IPC, USER, may_make_namespaces
from sandbox.syscalls.table import NUMBERS
from tests.integration.conftest import HANG, INSTALL, command

LOOK = """
import ctypes, json, os
with open("/proc/self/status") as file:
    status = dict(line.rstrip("\\n").split(":\\t", 1) for line in file if ":\\t" in line)
with open("/proc/net/dev") as file:
    devices = [line.split(":")[0].strip() for line in file if ":" in line]
libc = ctypes.CDLL(None, use_errno=True)
print(json.dumps({
    **{kind: os.readlink(f"/proc/self/ns/{kind}") for kind in ("user", "net", "ipc")},
    "devices": devices,
    "capabilities": [status[f"Cap{kind}"].strip("0") for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")],
    "ids": [*os.getresuid(), *os.getresgid()],
    "program": [os.stat("/proc/self").st_uid, os.stat("/").st_uid],
    "again": [libc.unshare(0x10000000), ctypes.get_errno()],
}))
"""

# Makes what a run wants to make, in this process, then becomes argv[2:]. argv[1]: the flags.
ENTER = """
import ctypes, os, sys
flags, ids = int(sys.argv[1]), (os.geteuid(), os.getegid())
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(flags):
    sys.exit(os.strerror(ctypes.get_errno()))
maps = {"setgroups": "deny", "uid_map": "%d %d 1" % (ids[0], ids[0]), "gid_map": "%d %d 1" % (ids[1], ids[1])}
for name, text in maps.items() if flags & 0x10000000 else ():
    with open(f"/proc/self/{name}", "w") as file:
        file.write(text)
if sys.argv[2:]:
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")
    os.execv(sys.argv[2], sys.argv[2:])
"""

# Refuses calls for argv[2:]. argv[1]: "nr:argument:value:errno,…", where errno 0 kills.
REFUSING = (
    """
import sys
insns = [(0x20, 0, 0, 0)]
for one in sys.argv[1].split(","):
    nr, argument, value, error = map(int, one.split(":"))
    answer = 0x50000 | error if error else 0x80000000
    insns += [(0x15, 0, 4, nr), (0x20, 0, 0, 16 + 8 * argument), (0x15, 0, 1, value), (6, 0, 0, answer)]
    insns += [(0x20, 0, 0, 0)]
"""
    + INSTALL
)

FLAGS = NETWORK_AND_IPC if may_make_namespaces() else USER | NETWORK_AND_IPC
WRITING = os.O_WRONLY | os.O_CLOEXEC  # how the child opens the maps, and the supervisor nothing


class Seen(NamedTuple):
    """A run: its exit status, its error output, the enforcement it tells, and what the guest saw or said."""

    status: int
    err: str
    enforcement: dict[str, str]
    out: str

    @property
    def guest(self) -> dict[str, Any]:
        """What LOOK printed."""
        seen: dict[str, Any] = json.loads(self.out)
        return seen


def script(text: str, *arguments: str) -> tuple[str, ...]:
    """A Python script that becomes the command which follows."""
    return sys.executable, "-P", "-c", text, *arguments


def refusing(error: int, *calls: tuple[str, int, int]) -> tuple[str, ...]:
    rules = (f"{NUMBERS[name]}:{argument}:{value}:{error}" for name, argument, value in calls)
    return script(REFUSING, ",".join(rules))


Start = Callable[..., Seen]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Run a program under a policy, the command itself being run by `inside`."""

    def started(*argv: str, policy: str = "default", inside: tuple[str, ...] = ()) -> Seen:
        outcome = tmp_path / "outcome.json"
        words = command("-p", policy, "--outcome", str(outcome), "--", *argv)
        done = subprocess.run(
            [*inside, *words], capture_output=True, text=True, timeout=HANG, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Seen(done.returncode, done.stderr, json.loads(outcome.read_text())["enforcement"], done.stdout)

    return started


def given() -> bool:
    """Whether this kernel lets us make what a run wants to make."""
    if os.geteuid() == 0 and not may_make_namespaces():
        return False
    done = subprocess.run([*script(ENTER, str(FLAGS))], capture_output=True, timeout=HANG, check=False)
    return done.returncode == 0


def here(kind: str) -> str:
    return os.readlink(f"/proc/self/ns/{kind}")


ordinary = pytest.mark.skipif(os.geteuid() == 0, reason="an ordinary user's runs do without")


@pytest.fixture
def namespaces() -> None:
    """Skips where this kernel gives an ordinary user no namespaces."""
    if not given():
        pytest.skip("this kernel gives an ordinary user no namespaces")


@pytest.mark.parametrize("policy", ["default", "workspace"])
def test_the_network_is_empty_where_the_kernel_lets_us(policy: str, start: Start, python: str) -> None:
    seen = start(python, "-I", "-S", "-c", LOOK, policy=policy)
    level = seen.enforcement["network-namespace"]
    if given():
        assert level == "full"
        assert seen.guest["net"] != here("net")
        assert seen.guest["ipc"] != here("ipc")
        assert (seen.guest["user"] != here("user")) == bool(FLAGS & USER)
        assert seen.guest["devices"] == ["lo"]
    else:
        assert level.startswith("none: ")
        assert (seen.guest["net"], seen.guest["user"]) == (here("net"), here("user"))


def test_a_guest_has_no_capability_and_makes_no_user_namespace(start: Start, python: str) -> None:
    guest = start(python, "-I", "-S", "-c", LOOK).guest
    if given():
        assert guest["capabilities"] == [""] * 5
    assert guest["again"] == [-1, errno.EPERM]


@ordinary
def test_a_guest_is_the_same_user_in_its_namespace(namespaces: None, start: Start, python: str) -> None:
    guest = start(python, "-I", "-S", "-c", LOOK).guest
    assert guest["ids"] == [os.geteuid()] * 3 + [os.getegid()] * 3
    root = os.stat("/").st_uid
    assert guest["program"] == [os.geteuid(), root if root == os.geteuid() else 65534]


NETWORKS = """
schema = 1
name = "net"
extends = "default"
[network]
families = ["AF_INET"]
"""


def test_a_policy_that_opens_the_network_gives_no_namespace(
    start: Start, python: str, tmp_path: Path
) -> None:
    policy = tmp_path / "net.toml"
    policy.write_text(NETWORKS)
    for which in (str(policy), "observe"):
        seen = start(python, "-I", "-S", "-c", LOOK, policy=which)
        assert "network-namespace" not in seen.enforcement
        assert (seen.guest["net"], seen.guest["user"]) == (here("net"), here("user"))


UNSHARE = ("unshare", 0, USER | NETWORK_AND_IPC)
MAPS = (("openat", 2, WRITING), ("open", 1, WRITING))

REFUSALS: list[tuple[int, tuple[tuple[str, int, int], ...], str]] = [
    (errno.EPERM, (UNSHARE,), "unshare: Operation not permitted"),
    (errno.ENOSYS, (UNSHARE,), "unshare: Function not implemented"),
    (0, (UNSHARE,), "unshare: a filter kills who calls it"),
    (errno.EACCES, MAPS, "user namespace maps: Permission denied"),
]


@ordinary
@pytest.mark.parametrize(("error", "calls", "lacks"), REFUSALS, ids=[one[2] for one in REFUSALS])
def test_refused_a_namespace_the_run_does_without(
    error: int, calls: tuple[tuple[str, int, int], ...], lacks: str,
    namespaces: None, start: Start, python: str,
) -> None:  # fmt: skip
    inside = refusing(error, *calls)
    seen = start(python, "-I", "-S", "-c", LOOK, inside=inside)
    assert (seen.status, seen.err) == (0, "")
    assert seen.enforcement["network-namespace"] == f"none: {lacks}"
    assert (seen.guest["net"], seen.guest["user"]) == (here("net"), here("user"))
    dry = subprocess.run(
        [*inside, *command("--dry-run")], capture_output=True, text=True, timeout=HANG, check=True
    )
    assert f"namespace    none: {lacks}\n" in dry.stdout


@ordinary
def test_without_user_namespaces_the_run_does_without(namespaces: None, start: Start) -> None:
    seen = start("/bin/true", inside=script(ENTER, str(USER)))
    assert (seen.status, seen.err) == (0, "")
    assert seen.enforcement["network-namespace"] == "none: unshare: No space left on device"


@ordinary
def test_a_namespace_that_cannot_be_mapped_holds_no_guest(namespaces: None, start: Start) -> None:
    seen = start("/bin/echo", "ran", inside=refusing(errno.EIO, *MAPS))
    assert seen.status == 125
    assert seen.out == ""
    assert "cannot start the guest: user namespace maps: Input/output error" in seen.err
