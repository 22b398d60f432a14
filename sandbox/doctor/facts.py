"""What there is to know about this machine, gathered once. Nothing is judged here."""

from __future__ import annotations

import os
from typing import NamedTuple

from sandbox._kernel import calls, probe
from sandbox._kernel.probe import Namespaces, Traced
from sandbox.errors import SandboxError, SetupError
from sandbox.launch import cgroup, scratch
from sandbox.launch.confine import confine
from sandbox.launch.namespaces import choose, may_make_namespaces
from sandbox.launch.places import Places
from sandbox.launch.program import core_limit
from sandbox.policy.model import Files

_SETTINGS = {
    "ptrace_scope": "/proc/sys/kernel/yama/ptrace_scope",
    "max_user_namespaces": "/proc/sys/user/max_user_namespaces",
    "max_net_namespaces": "/proc/sys/user/max_net_namespaces",
    "unprivileged_userns_clone": "/proc/sys/kernel/unprivileged_userns_clone",
    "apparmor_restrict_unprivileged_userns": "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "deny_ptrace": "/sys/fs/selinux/booleans/deny_ptrace",
}


class Facts(NamedTuple):
    """Probes are errnos, 0 where the thing works. `settings` holds those of _SETTINGS that exist, as text;
    `cgroup` is our cgroup v2's directory, '' for none, `memory` what a run would say of its limit, and `proc`
    why no run can use this /proc, with the remedy, or ''."""

    release: str
    machine: str
    uid: int
    traced: Traced
    no_new_privs: int
    seccomp: int
    become_nobody: int
    landlock_abi: int
    landlock: str
    restrict: int
    close_range: int
    pidfd_open: int
    namespaces: Namespaces
    may_isolate: bool
    cgroup: str
    memory: str
    settings: dict[str, str]
    status: dict[str, str]
    has_children: bool
    has_schedstat: bool
    scratch: str
    scratch_lacks: str
    container: str
    ia32: bool | None
    x32: bool | None
    core_pattern: str
    core_limit: int
    lsm: str = ""
    proc: str = ""

    @property
    def is_filtered(self) -> bool:
        """Whether somebody else's seccomp filter is on already."""
        return self.status.get("Seccomp") == "2"


def read(path: str) -> str:
    """A small file's text without its last newline, '' where it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(1 << 16).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def gather() -> Facts:
    """Everything, with every probe made. Raises OSError where not even a child can be made."""
    abi = probe.landlock()
    enforcement, restrict = _landlock(abi)
    home, lacks = _scratch()
    may_isolate = may_make_namespaces()
    return Facts(
        release=os.uname().release,
        machine=os.uname().machine,
        uid=os.geteuid(),
        traced=probe.traced(),
        no_new_privs=probe.no_new_privs(),
        seccomp=probe.seccomp(),
        become_nobody=probe.become_nobody() if os.geteuid() == 0 else 0,
        landlock_abi=abi,
        landlock=enforcement,
        restrict=restrict,
        close_range=probe.close_range(),
        pidfd_open=probe.pidfd_open(),
        namespaces=probe.namespaces(choose(os.geteuid(), os.getegid(), privileged=may_isolate).maps),
        may_isolate=may_isolate,
        cgroup=cgroup.find().own,
        memory=cgroup.trial(),
        settings={name: text for name, path in _SETTINGS.items() if (text := read(path))},
        status=_fields(read("/proc/self/status")),
        has_children=os.path.exists("/proc/thread-self/children"),
        has_schedstat=read("/proc/thread-self/schedstat").split()[:1] not in ([], ["0"]),
        scratch=home,
        scratch_lacks=lacks,
        container=container(),
        ia32=probe.ia32(),
        x32=probe.x32(),
        core_pattern=read("/proc/sys/kernel/core_pattern"),
        core_limit=core_limit(),
        lsm=read("/sys/kernel/security/lsm"),
        proc=calls.proc_fault(),
    )


def _landlock(abi: int) -> tuple[str, int]:
    """What a real ruleset enforces, in the words of a run, and the errno of putting it on."""
    if abi <= 0:
        return "none", -abi
    try:
        with Places("/") as places:
            confined = confine(Files(read=("/",)), places)
    except SandboxError as error:
        return f"none: {error}", 22
    try:
        return confined.enforcement, probe.restrict(confined.ruleset)
    finally:
        os.close(confined.ruleset)


def _scratch() -> tuple[str, str]:
    """Where a scratch directory was made and removed again, or '' and why none can be made."""
    try:
        made = scratch.make(None)
    except SetupError as error:
        return "", str(error)
    made.remove()
    return made.home, ""


def _fields(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}


_VARIABLE = "container"  # what systemd-nspawn, LXC and Podman set
_MARKS = {"/.dockerenv": "Docker", "/run/.containerenv": "Podman"}
_IN_CGROUP = {"docker": "Docker", "kubepods": "Kubernetes", "lxc": "LXC", "libpod": "Podman"}


def container() -> str:
    """The kind of container we seem to be in, '' where nothing says so."""
    for path, kind in _MARKS.items():
        if os.path.exists(path):
            return kind
    if kind := read("/run/systemd/container"):
        return kind
    if kind := os.environ.get(_VARIABLE, ""):
        return kind
    paths = read("/proc/1/cgroup")
    return next((kind for word, kind in _IN_CGROUP.items() if word in paths), "")
