"""What every run needs, or every run under the default policy. Pure: facts in, features out."""

from __future__ import annotations

import re

from sandbox.doctor.facts import Facts
from sandbox.doctor.feature import Feature
from sandbox.doctor.remedies import EPERM, error_text, kernel, through_filter


def version(release: str) -> tuple[int, int]:
    """The two leading numbers of a kernel release, (0, 0) where it has none."""
    found = re.match(r"(\d{1,6})\.(\d{1,6})", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def machine(facts: Facts) -> Feature:
    """An x86-64 kernel that is new enough."""
    release, purpose = version(facts.release), "running x86-64 guests natively"
    found = f"Linux {facts.release} {facts.machine}"
    if facts.machine != "x86_64":
        lost = "everything: guests are x86-64 programs"
        return Feature(
            "kernel", "none", found, purpose, "needed", lost, ("use an x86-64 machine and kernel",)
        )
    if release < (5, 3):
        lost = "everything: the supervisor cannot tell which call a guest makes"
        return Feature("kernel", "none", found, purpose, "needed", lost, (kernel("5.3"),))
    if release < (5, 13):
        lost = "[files] and [network], which need Landlock"
        return Feature("kernel", "partial", found, purpose, "needed", lost, (kernel("5.13"),))
    return Feature("kernel", "full", found, purpose, "needed")


_SCOPES = {
    "0": "kernel.yama.ptrace_scope 0: all processes of a user",
    "1": "kernel.yama.ptrace_scope 1: descendants only, which is enough",
    "2": "kernel.yama.ptrace_scope 2: only with CAP_SYS_PTRACE",
    "3": "kernel.yama.ptrace_scope 3: nobody",
}


def ptrace(facts: Facts) -> Feature:
    """Starting a guest under ptrace, as a run does."""
    scope = facts.settings.get("ptrace_scope", "")
    setting = _SCOPES.get(scope, "no kernel.yama.ptrace_scope here" if not scope else f"ptrace_scope {scope}")
    purpose = "the supervisor sees and decides what the kernel's filter cannot"
    traced = facts.traced
    if not traced.step:
        return Feature("ptrace", "full", f"a guest was started and stopped; {setting}", purpose, "needed")
    if "seccomp" in traced.step or "NO_NEW_PRIVS" in traced.step:
        found = f"not tried to the end: {traced.step} failed ({error_text(traced.errno)}); {setting}"
        lost = "every run, until the filter can be installed"
        return Feature("ptrace", "none", found, purpose, "needed", lost, ("see seccomp and no-new-privs",))
    found = f"{traced.step} failed: {error_text(traced.errno)}; {setting}"
    lost = "every run: guests cannot be supervised"
    return Feature("ptrace", "none", found, purpose, "needed", lost, _ptrace_remedies(facts, scope))


def _ptrace_remedies(facts: Facts, scope: str) -> tuple[str, ...]:
    remedies = []
    if scope == "2":
        remedies.append("sudo sysctl -w kernel.yama.ptrace_scope=1, or run with CAP_SYS_PTRACE")
    if scope == "3":
        remedies.append("3 holds until the next boot: take it out of /etc/sysctl.d, set 1 there, and reboot")
    if facts.settings.get("deny_ptrace", "").startswith("1"):
        remedies.append("sudo setsebool deny_ptrace off (SELinux)")
    if facts.container or facts.is_filtered or not remedies:
        remedies.append("in a container: docker run --cap-add=SYS_PTRACE")
        remedies += through_filter("ptrace, process_vm_readv and process_vm_writev")
    return tuple(remedies)


def syscall_info(facts: Facts) -> Feature:
    """PTRACE_GET_SYSCALL_INFO."""
    name, purpose = "PTRACE_GET_SYSCALL_INFO", "which call a guest makes, and for which architecture"
    error, remedies = facts.traced.syscall_info, (kernel("5.3"),)
    if facts.traced.step:
        lost = "every run, until ptrace works"
        return Feature(name, "none", "not tried: no guest could be started", purpose, "needed", lost,
                       ("see ptrace", *remedies))  # fmt: skip
    if error:
        lost = "every run: registers alone do not tell a 32-bit call from a 64-bit one"
        return Feature(name, "none", error_text(error), purpose, "needed", lost, remedies)
    return Feature(name, "full", "it works", purpose, "needed")


def seccomp(facts: Facts) -> Feature:
    """Installing a filter."""
    purpose = "the policy's constant answers, by the kernel; the rest stops for the supervisor"
    if facts.seccomp == 0:
        return Feature("seccomp", "full", "a filter was installed and obeyed", purpose, "needed")
    lost = "every run: nothing would stop a guest's calls"
    remedies = ("use a kernel with CONFIG_SECCOMP_FILTER=y", *through_filter("seccomp and prctl"))
    return Feature("seccomp", "none", error_text(facts.seccomp), purpose, "needed", lost, remedies)


def no_new_privs(facts: Facts) -> Feature:
    """PR_SET_NO_NEW_PRIVS."""
    purpose = "set-uid programs give a guest nothing; filters without privilege"
    if facts.no_new_privs == 0:
        return Feature("no-new-privs", "full", "it stays on", purpose, "needed")
    lost = "every run: neither a filter nor Landlock can be put on safely"
    remedies = (kernel("3.5"), *through_filter("prctl"))
    return Feature("no-new-privs", "none", error_text(facts.no_new_privs), purpose, "needed", lost, remedies)


def memory(facts: Facts) -> Feature:
    """process_vm_readv(2) and process_vm_writev(2)."""
    name, purpose = "process_vm_readv", "reading what a guest's pointers lead to, and writing answers there"
    traced, remedies = (
        facts.traced,
        (
            "use a kernel with CONFIG_CROSS_MEMORY_ATTACH=y",
            *through_filter("process_vm_readv and process_vm_writev"),
        ),
    )
    if traced.step:
        lost = "unknown until ptrace works"
        return Feature(
            name, "none", "not tried: no guest could be started", purpose, "used", lost, ("see ptrace",)
        )
    if not (traced.read or traced.write):
        return Feature(name, "full", "a guest's memory was read and written", purpose)
    found = f"read: {error_text(traced.read)}; write: {error_text(traced.write)}"
    if traced.write:
        lost = "hiding the vDSO, and emulated calls that store something; paths are read word by word, slowly"
        return Feature(name, "none" if traced.read else "partial", found, purpose, "used", lost, remedies)
    lost = "speed: guest memory is read word by word, by ptrace"
    return Feature(name, "partial", found, purpose, "used", lost, remedies)


def landlock(facts: Facts) -> Feature:
    """Landlock: its ABI, and what that lacks."""
    purpose = "[files] and the ports of [network], decided by the kernel"
    if facts.landlock_abi > 0 and not facts.restrict:
        level, _, rest = facts.landlock.partition(": ")
        if level == "full":
            return Feature("Landlock", "full", f"ABI {facts.landlock_abi}, put on", purpose, "needed")
        if level == "partial":
            lost = f"confinement is {rest}"
            found = f"ABI {facts.landlock_abi}, put on"
            return Feature("Landlock", "partial", found, purpose, "needed", lost, (kernel("6.12"),))
    found = f"none: {error_text(-facts.landlock_abi if facts.landlock_abi < 0 else facts.restrict)}"
    lost = "every policy with [files] or [network], such as default; --waive landlock=REASON accepts the lack"
    return Feature("Landlock", "none", found, purpose, "needed", lost, _landlock_remedies(facts))


def _landlock_remedies(facts: Facts) -> tuple[str, ...]:
    if facts.landlock_abi == -95:  # EOPNOTSUPP: built in, not switched on
        modules = ",".join(["landlock", *filter(None, facts.lsm.split(","))])
        return (f"it is built in but off: boot with lsm={modules}",)
    calls = "landlock_create_ruleset, landlock_add_rule and landlock_restrict_self"
    found = through_filter(calls)
    if facts.landlock_abi == -EPERM:
        return tuple(found)
    return (f"{kernel('5.13')} with CONFIG_SECURITY_LANDLOCK=y", *found)


def identity(facts: Facts) -> Feature:
    """Who the guest becomes."""
    purpose = "a guest without privilege, whoever starts it"
    if facts.uid != 0:
        found = f"user {facts.uid} stays user {facts.uid}, without capabilities"
        return Feature("unprivileged guest", "full", found, purpose, "needed")
    if facts.become_nobody == 0:
        found = "root can become an unprivileged user"
        return Feature("unprivileged guest", "full", found, purpose, "needed")
    found = f"root cannot become another user: {error_text(facts.become_nobody)}"
    lost = "runs that root starts; --waive root=REASON lets the guest be root, without capabilities"
    remedies = (
        "start runs as an ordinary user",
        "in a container: docker run --cap-add=SETUID --cap-add=SETGID",
        "in a user namespace: map more than one user (/etc/subuid, /etc/subgid)",
    )
    return Feature("unprivileged guest", "none", found, purpose, "needed", lost, remedies)


def scratch(facts: Facts) -> Feature:
    """Where scratch directories are made."""
    purpose = "the private scratch directory of policies that give one, such as default"
    if not facts.scratch_lacks:
        found = f"one was made in {facts.scratch}, and removed"
        return Feature("scratch directory", "full", found, purpose, "needed")
    lost = "every policy with [files] scratch = true"
    remedies = (
        "make /var/tmp a directory that everybody may write, with the sticky bit: chmod 1777 /var/tmp",
    )
    return Feature("scratch directory", "none", facts.scratch_lacks, purpose, "needed", lost, remedies)


def proc(facts: Facts) -> Feature:
    """/proc and what is in it."""
    purpose = "CPU and memory use of a guest's processes, their files, and orphans"
    if facts.proc:
        found, _, remedy = facts.proc.removeprefix("/proc is ").partition(": ")
        lost = "every run: what its processes execute and use cannot be seen"
        return Feature("/proc", "none", found, purpose, "needed", lost, (remedy,))
    missing = []
    if not facts.has_children:
        missing.append(
            ("/proc/TID/children", "telling inherited children from guests", "CONFIG_PROC_CHILDREN")
        )
    if not facts.has_schedstat:
        missing.append(("/proc/TID/schedstat", "the CPU limit", "CONFIG_SCHED_INFO"))
    if not missing:
        return Feature("/proc", "full", "mounted, with children and schedstat", purpose, "needed")
    found = f"mounted, without {', '.join(one[0] for one in missing)}"
    options = " and ".join(f"{one[2]}=y" for one in missing)
    return Feature("/proc", "partial", found, purpose, "needed", ", ".join(one[1] for one in missing),
                   (f"use a kernel with {options}",))  # fmt: skip


CHECKS = (machine, ptrace, syscall_info, seccomp, no_new_privs, landlock, identity, scratch, proc, memory)
