"""What makes runs better but not possible, and what is good to know. Pure: facts in, features out."""

from __future__ import annotations

from sandbox.doctor.facts import Facts
from sandbox.doctor.feature import Feature, Use
from sandbox.doctor.remedies import delegation, error_text, kernel, through_filter
from sandbox.launch import cgroup


def close_range(facts: Facts) -> Feature:
    """close_range(2)."""
    purpose = "closing every descriptor but 0 to 2 in the guest with one call"
    if facts.close_range == 0:
        return Feature("close_range", "full", "it works", purpose)
    lost = "speed only: descriptors are closed one by one"
    remedies = (kernel("5.11"), *through_filter("close_range"))
    return Feature("close_range", "partial", error_text(facts.close_range), purpose, "used", lost, remedies)


def pidfd_open(facts: Facts) -> Feature:
    """pidfd_open(2)."""
    purpose = "watching a process without a race over its number"
    if facts.pidfd_open == 0:
        return Feature("pidfd_open", "full", "it works", purpose, "spare")
    lost = "nothing of a run; guests that want it get the kernel's error"
    remedies = (kernel("5.3"), *through_filter("pidfd_open"))
    return Feature("pidfd_open", "none", error_text(facts.pidfd_open), purpose, "spare", lost, remedies)


_USERNS_SETTINGS = (
    ("max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=10000"),
    ("max_net_namespaces", "0", "sudo sysctl -w user.max_net_namespaces=10000"),
    ("unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    (
        "apparmor_restrict_unprivileged_userns", "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or a profile with `userns,`",
    ),
)  # fmt: skip


def _userns_remedies(facts: Facts) -> tuple[str, ...]:
    found = [how for name, bad, how in _USERNS_SETTINGS if facts.settings.get(name) == bad]
    if facts.container or facts.is_filtered or not found:
        found += through_filter("unshare and clone")
    return tuple(found)


def user_namespaces(facts: Facts) -> Feature:
    """Making a user namespace."""
    name = "user namespaces"
    purpose = "an empty network for an ordinary user's guests, who are refused user namespaces themselves"
    settings = [f"{one} {facts.settings[one]}" for one, _, _ in _USERNS_SETTINGS if one in facts.settings]
    known = f" ({', '.join(settings)})" if settings else ""
    use: Use = "spare" if facts.uid == 0 or facts.may_isolate else "used"
    error, network = facts.namespaces
    if error == 0 and (use == "spare" or network == 0):
        return Feature(name, "full", f"one was made{known}", purpose, use)
    lost = "nothing of a run" if use == "spare" else "see network namespaces"
    if error == 0:
        found = f"one was made, but with a network it is refused: {error_text(network)}{known}"
        return Feature(name, "partial", found, purpose, use, lost, _userns_remedies(facts))
    found = f"unshare: {error_text(error)}{known}"
    return Feature(name, "none", found, purpose, use, lost, _userns_remedies(facts))


def network_namespaces(facts: Facts) -> Feature:
    """Making namespaces for the network and System V IPC."""
    name = "network namespaces"
    purpose = "an empty network under the filter, in runs under a policy without network"
    error = facts.namespaces.network
    if error == 0:
        where = "" if facts.uid == 0 or facts.may_isolate else ", in a user namespace"
        return Feature(name, "full", f"an empty one was made{where}", purpose)
    found = f"one could not be made: {error_text(error)}"
    if facts.may_isolate:
        # The run does not know that it will fail, so it does not do without.
        lost = "runs that root starts under a policy without network, such as default"
        remedies = (*through_filter("unshare"), "docker run --cap-drop=SYS_ADMIN: runs then do without")
        return Feature(name, "none", found, purpose, "needed", lost, remedies)
    lost = (
        "a second lock on the network: the filter refuses sockets without it, too; "
        "where /proc may be read, so can this machine's connections"
    )
    how = ("docker run --cap-add=SYS_ADMIN",) if facts.uid == 0 else _userns_remedies(facts)
    return Feature(name, "none", found, purpose, "used", lost, how)


def cgroups(facts: Facts) -> Feature:
    """A cgroup v2 for the limit on memory."""
    name, purpose = "cgroup v2", "the limit on a run's memory, kept by the kernel"
    level, _, how = facts.memory.partition(": ")
    found = f"{facts.cgroup or '-'}: {how.partition(', ')[2] or how}"
    if level == "full":
        return Feature(name, "full", found, purpose)
    if facts.memory == cgroup.WITHOUT_SWAP:
        lost = "pages in swap are not counted"
        return Feature(name, "partial", found, purpose, "used", lost, ("boot with swapaccount=1",))
    lost = (
        "exactness: the supervisor looks every 50 ms, and does not see what no process maps, such as the "
        "content of memfds and sockets"
    )
    return Feature(name, "none", found, purpose, "used", lost,
                   delegation(facts.memory, facts.container, facts.uid, "sandboxctl doctor"))  # fmt: skip


def core_dumps(facts: Facts) -> Feature:
    """Where core dumps go."""
    purpose = "no core dumps of guests"
    pattern = facts.core_pattern
    kept = "RLIMIT_CORE" if facts.core_limit else "a RLIMIT_CORE of 0"
    how = {"|": "pipes to", "@": "connects to"}.get(pattern[:1])
    if how is None or (facts.core_limit and pattern.startswith("|")):
        return Feature("core dumps", "full", f"off, by {kept}; core_pattern {pattern!r}", purpose)
    found = f"core_pattern {how} {pattern[1:].split(' ')[0]!r}"
    lost = (
        f"{kept} does not hold for it (core(5)): a crashing guest's memory goes to that helper, which is "
        "privileged and reads what a guest wrote"
    )
    remedies: tuple[str, ...] = ("sudo sysctl -w kernel.core_pattern=core",)
    if pattern.startswith("|"):
        how = "raise the hard limit, which is 0 (ulimit -Hc): at a limit of exactly 1 no helper starts"
        remedies = (how, *remedies)
    return Feature("core dumps", "partial", found, purpose, "used", lost, remedies)


def container(facts: Facts) -> Feature:
    """Signs of a container."""
    purpose = "a container's own filter and capabilities come on top"
    return Feature("container", "note", facts.container or "no sign of one", purpose)


def outer_filter(facts: Facts) -> Feature:
    """A filter that is on already."""
    purpose = "of two filters the stricter answer holds: a policy can allow no more than the outer one"
    mode, count = facts.status.get("Seccomp", "0"), facts.status.get("Seccomp_filters", "")
    if mode == "0":
        return Feature("outer seccomp filter", "note", "none", purpose)
    found = f"mode {mode}" + (f", {count} filters" if count else "")
    return Feature("outer seccomp filter", "note", found, purpose)


_PRESENCE = {True: "present", False: "absent", None: "unknown: it could not be tried"}


def ia32(facts: Facts) -> Feature:
    """32-bit system calls."""
    purpose = (
        "another table of system calls (int 0x80): the filter kills a guest that uses it, present or not"
    )
    return Feature("IA32 emulation", "note", _PRESENCE[facts.ia32], purpose)


def x32(facts: Facts) -> Feature:
    """x32 system calls."""
    purpose = "64-bit calls under other numbers: the filter kills a guest that uses one, present or not"
    return Feature("x32", "note", _PRESENCE[facts.x32], purpose)


CHECKS = (
    close_range, user_namespaces, network_namespaces, cgroups, pidfd_open, core_dumps, container,
    outer_filter, ia32, x32,
)  # fmt: skip
