"""From facts to features: what is missing is told with its remedy, whatever the machine is like."""

from __future__ import annotations

import errno
import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox._kernel.probe import DIED, Namespaces, Traced
from sandbox.doctor.examine import examine
from sandbox.doctor.facts import Facts
from sandbox.doctor.feature import Feature, Level, as_dict, is_ready, render
from sandbox.doctor.needed import version
from sandbox.doctor.remedies import error_text
from sandbox.launch import cgroup
from sandbox.launch.cgroup import partial

EPERM, ENOSYS, EOPNOTSUPP = errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP
DENIED = partial("no cgroup is delegated (EACCES)")

GOOD = Facts(
    release="6.12.1-generic",
    machine="x86_64",
    uid=1000,
    traced=Traced(),
    no_new_privs=0,
    seccomp=0,
    become_nobody=0,
    landlock_abi=6,
    landlock="full",
    restrict=0,
    close_range=0,
    pidfd_open=0,
    namespaces=Namespaces(0, 0),
    may_isolate=False,
    cgroup="/sys/fs/cgroup/user",
    memory=cgroup.FULL,
    settings={},
    status={"Seccomp": "0"},
    has_children=True,
    has_schedstat=True,
    scratch="/var/tmp/ostoo-sandbox-0",
    scratch_lacks="",
    container="",
    ia32=True,
    x32=False,
    core_pattern="core",
    core_limit=1,
    lsm="capability,yama",
)


def found(name: str, facts: Facts) -> Feature:
    [feature] = [one for one in examine(facts) if one.name == name]
    return feature


def test_a_pipe_gets_no_dump_at_a_limit_of_1() -> None:
    feature = found("core dumps", GOOD._replace(core_pattern="|/usr/lib/helper %P"))
    assert (feature.level, feature.lost) == ("full", "")
    assert "/usr/lib/helper" in feature.found


def test_a_good_machine_has_everything() -> None:
    features = examine(GOOD)
    assert {one.level for one in features} == {"full", "note"}
    assert is_ready(features)
    assert list(render(features))[-1] == "everything that a run needs is here"


NO_SEIZE = Traced("ptrace(PTRACE_SEIZE)", EPERM)

# name, what is other than in GOOD, the feature's level, and a word of its remedies
SHORTFALLS: list[tuple[str, dict[str, Any], Level, str]] = [
    ("kernel", {"machine": "aarch64"}, "none", "x86-64"),
    ("kernel", {"release": "5.2.0"}, "none", "Linux 5.3"),
    ("kernel", {"release": "5.12.19"}, "partial", "Linux 5.13"),
    ("kernel", {"release": "unheard of"}, "none", "Linux 5.3"),
    ("ptrace", {"traced": NO_SEIZE}, "none", "--cap-add=SYS_PTRACE"),
    ("ptrace", {"traced": NO_SEIZE}, "none", "--security-opt seccomp="),
    ("ptrace", {"traced": NO_SEIZE, "settings": {"ptrace_scope": "2"}}, "none", "kernel.yama.ptrace_scope=1"),
    ("ptrace", {"traced": NO_SEIZE, "settings": {"ptrace_scope": "3"}}, "none", "reboot"),
    ("ptrace", {"traced": NO_SEIZE, "settings": {"deny_ptrace": "1 1"}}, "none", "setsebool deny_ptrace off"),
    ("ptrace", {"traced": Traced("the probe", DIED)}, "none", "--cap-add=SYS_PTRACE"),
    ("ptrace", {"traced": Traced("seccomp(SECCOMP_SET_MODE_FILTER)", 22)}, "none", "see seccomp"),
    ("PTRACE_GET_SYSCALL_INFO", {"traced": Traced(syscall_info=5)}, "none", "Linux 5.3"),
    ("PTRACE_GET_SYSCALL_INFO", {"traced": NO_SEIZE}, "none", "see ptrace"),
    ("process_vm_readv", {"traced": Traced(read=EPERM)}, "partial", "process_vm_readv"),
    ("process_vm_readv", {"traced": Traced(write=EPERM)}, "partial", "process_vm_writev"),
    ("process_vm_readv", {"traced": Traced(read=ENOSYS, write=ENOSYS)}, "none", "CROSS_MEMORY_ATTACH"),
    ("process_vm_readv", {"traced": NO_SEIZE}, "none", "see ptrace"),
    ("seccomp", {"seccomp": ENOSYS}, "none", "CONFIG_SECCOMP_FILTER"),
    ("no-new-privs", {"no_new_privs": 22}, "none", "Linux 3.5"),
    ("Landlock", {"landlock_abi": -ENOSYS, "landlock": "none"}, "none", "CONFIG_SECURITY_LANDLOCK=y"),
    ("Landlock", {"landlock_abi": -EOPNOTSUPP, "landlock": "none"}, "none", "lsm=landlock,capability,yama"),
    ("Landlock", {"landlock_abi": -EPERM, "landlock": "none"}, "none", "--security-opt seccomp="),
    ("Landlock", {"restrict": EPERM}, "none", "--security-opt seccomp="),
    ("Landlock", {"landlock_abi": 2, "landlock": "partial: without truncation"}, "partial", "Linux 6.12"),
    ("unprivileged guest", {"uid": 0, "become_nobody": EPERM}, "none", "--cap-add=SETUID"),
    ("scratch directory", {"scratch": "", "scratch_lacks": "cannot make one"}, "none", "chmod 1777 /var/tmp"),
    ("/proc", {"proc": "/proc is not mounted: mount -t proc proc /proc"}, "none", "mount -t proc"),
    ("/proc", {"has_children": False}, "partial", "CONFIG_PROC_CHILDREN=y"),
    ("/proc", {"has_schedstat": False}, "partial", "CONFIG_SCHED_INFO=y"),
    ("close_range", {"close_range": ENOSYS}, "partial", "Linux 5.11"),
    ("pidfd_open", {"pidfd_open": ENOSYS}, "none", "Linux 5.3"),
    ("user namespaces", {"namespaces": Namespaces(EPERM, EPERM)}, "none", "allows unshare"),
    ("user namespaces", {"namespaces": Namespaces(0, EPERM)}, "partial", "allows unshare"),
    (
        "user namespaces",
        {"namespaces": Namespaces(errno.ENOSPC, EPERM), "settings": {"max_user_namespaces": "0"}},
        "none",
        "user.max_user_namespaces=",
    ),
    (
        "user namespaces",
        {"namespaces": Namespaces(EPERM, EPERM), "settings": {"unprivileged_userns_clone": "0"}},
        "none",
        "kernel.unprivileged_userns_clone=1",
    ),
    (
        "user namespaces",
        {"namespaces": Namespaces(0, EPERM), "settings": {"apparmor_restrict_unprivileged_userns": "1"}},
        "partial",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        "user namespaces",
        {"namespaces": Namespaces(0, errno.ENOSPC), "settings": {"max_net_namespaces": "0"}},
        "partial",
        "user.max_net_namespaces=",
    ),
    ("user namespaces", {"namespaces": Namespaces(EPERM, 0), "uid": 0}, "none", "allows unshare"),
    ("network namespaces", {"namespaces": Namespaces(0, EPERM)}, "none", "allows unshare"),
    ("network namespaces", {"namespaces": Namespaces(0, EPERM), "uid": 0}, "none", "--cap-add=SYS_ADMIN"),
    (
        "network namespaces",
        {"namespaces": Namespaces(0, EPERM), "uid": 0, "may_isolate": True},
        "none",
        "--cap-drop=SYS_ADMIN",
    ),
    ("cgroup v2", {"cgroup": "", "memory": partial(cgroup.NOT_MOUNTED)}, "none", "mount -t cgroup2"),
    ("cgroup v2", {"memory": partial(cgroup.NO_CONTROLLER)}, "none", "cgroup_no_v1=memory"),
    ("cgroup v2", {"memory": partial(cgroup.NO_CONTROLLER)}, "none", "echo +memory"),
    ("cgroup v2", {"memory": DENIED}, "none", "systemd-run --user --scope -p Delegate=yes sandboxctl"),
    ("cgroup v2", {"memory": DENIED, "uid": 0}, "none", "systemd-run --scope -p Delegate=yes sandboxctl"),
    ("cgroup v2", {"memory": partial(cgroup.NOT_ALONE)}, "none", "Delegate=yes"),
    ("cgroup v2", {"memory": DENIED, "container": "Docker"}, "none", "writable-cgroups=true"),
    ("cgroup v2", {"memory": cgroup.WITHOUT_SWAP}, "partial", "swapaccount=1"),
    ("core dumps", {"core_pattern": "|/usr/lib/helper %P", "core_limit": 0}, "partial", "ulimit -Hc"),
    ("core dumps", {"core_pattern": "|/x", "core_limit": 0}, "partial", "kernel.core_pattern=core"),
    ("core dumps", {"core_pattern": "@/run/dumps.sock"}, "partial", "kernel.core_pattern=core"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "level", "remedy"), SHORTFALLS)
def test_a_shortfall_has_its_level_and_remedy(
    name: str, changes: dict[str, Any], level: Level, remedy: str
) -> None:
    facts = GOOD._replace(**changes)
    feature = found(name, facts)
    assert feature.level == level
    assert feature.lost
    assert any(remedy in one for one in feature.remedies)
    missing = feature.use == "needed" and level == "none"
    assert feature.is_missing == missing
    assert is_ready(examine(facts)) <= (not missing)
    text = " ".join(" ".join(render([feature])).split())
    assert all(" ".join(one.split()) in text for one in (feature.lost, *feature.remedies))


SPARE = [
    ("close_range", {"close_range": ENOSYS}),
    ("pidfd_open", {"pidfd_open": ENOSYS}),
    ("user namespaces", {"namespaces": Namespaces(EPERM, EPERM)}),
    ("network namespaces", {"namespaces": Namespaces(EPERM, EPERM)}),
    ("network namespaces", {"namespaces": Namespaces(0, EPERM), "uid": 0}),
    ("cgroup v2", {"memory": DENIED}),
    ("process_vm_readv", {"traced": Traced(read=EPERM)}),
    ("core dumps", {"core_pattern": "@/x"}),
    ("unprivileged guest", {"become_nobody": EPERM}),  # GOOD is not root
]


@pytest.mark.parametrize(("name", "changes"), SPARE)
def test_runs_do_without_these(name: str, changes: dict[str, Any]) -> None:
    assert is_ready(examine(GOOD._replace(**changes)))


@pytest.mark.parametrize(
    ("changes", "uses"),
    [
        ({}, ("used", "used")),
        ({"uid": 0, "may_isolate": True}, ("spare", "used")),
        ({"uid": 0, "namespaces": Namespaces(0, EPERM)}, ("spare", "used")),
        ({"namespaces": Namespaces(EPERM, EPERM)}, ("used", "used")),
        ({"uid": 0, "may_isolate": True, "namespaces": Namespaces(0, EPERM)}, ("spare", "needed")),
    ],
)
def test_only_an_ordinary_users_runs_use_a_user_namespace(
    changes: dict[str, Any], uses: tuple[str, str]
) -> None:
    facts = GOOD._replace(**changes)
    assert (found("user namespaces", facts).use, found("network namespaces", facts).use) == uses


def test_what_is_missing_is_named_last() -> None:
    facts = GOOD._replace(seccomp=ENOSYS, scratch_lacks="cannot make one")
    assert list(render(examine(facts)))[-1].endswith(": seccomp, scratch directory")


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("container", {"container": "Podman"}, "Podman"),
        ("container", {}, "no sign of one"),
        ("outer seccomp filter", {}, "none"),
        ("outer seccomp filter", {"status": {"Seccomp": "2", "Seccomp_filters": "3"}}, "mode 2, 3 filters"),
        ("IA32 emulation", {}, "present"),
        ("IA32 emulation", {"ia32": False}, "absent"),
        ("x32", {"x32": None}, "unknown: it could not be tried"),
    ],
)
def test_notes(name: str, changes: dict[str, Any], words: str) -> None:
    feature = found(name, GOOD._replace(**changes))
    assert (feature.level, feature.found) == ("note", words)


def test_what_a_machine_says_cannot_steer_a_terminal() -> None:
    facts = GOOD._replace(container="\x1b[2J\n", release="6.1\x1b", core_pattern="|\x1b", scratch_lacks="/\n")
    assert all(line.isprintable() for line in render(examine(facts)))


@pytest.mark.parametrize(
    ("release", "numbers"),
    [("6.18.44-fc", (6, 18)), ("5.3", (5, 3)), ("5", (0, 0)), ("", (0, 0)), ("x5.3", (0, 0))],
)
def test_versions(release: str, numbers: tuple[int, int]) -> None:
    assert version(release) == numbers


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (0, "fine"),
        (DIED, "the child that tried it was killed"),
        (EPERM, "EPERM (Operation not permitted)"),
        (9999, "9999 (Unknown error 9999)"),
    ],
)
def test_errors_in_words(error: int, text: str) -> None:
    assert error_text(error) == text


ERRORS = st.sampled_from([0, 0, DIED, EPERM, errno.EINVAL, ENOSYS, EOPNOTSUPP, 4000])
STEPS = st.sampled_from(["", "", "fork", "ptrace(PTRACE_SEIZE)", "seccomp(SECCOMP_SET_MODE_FILTER)"])
FACTS = st.builds(
    Facts,
    release=st.sampled_from(["6.18.0", "5.10.1", "4.4", "?"]),
    machine=st.sampled_from(["x86_64", "i686"]),
    uid=st.sampled_from([0, 1000]),
    traced=st.builds(Traced, STEPS, ERRORS, ERRORS, ERRORS, ERRORS),
    no_new_privs=ERRORS,
    seccomp=ERRORS,
    become_nobody=ERRORS,
    landlock_abi=st.sampled_from([-EOPNOTSUPP, -ENOSYS, -EPERM, 0, 1, 7]),
    landlock=st.sampled_from(["full", "partial: without a", "none"]),
    restrict=ERRORS,
    close_range=ERRORS,
    pidfd_open=ERRORS,
    namespaces=st.builds(Namespaces, ERRORS, ERRORS),
    may_isolate=st.booleans(),
    cgroup=st.sampled_from(["", "/c"]),
    memory=st.sampled_from([cgroup.FULL, cgroup.WITHOUT_SWAP, DENIED, partial(cgroup.NO_CONTROLLER)]),
    settings=st.dictionaries(
        st.sampled_from(["ptrace_scope", "max_user_namespaces", "deny_ptrace"]),
        st.sampled_from(["0", "1", "?"]),
    ),
    status=st.sampled_from([{}, {"Seccomp": "0"}, {"Seccomp": "2"}]),
    has_children=st.booleans(),
    has_schedstat=st.booleans(),
    scratch=st.text(max_size=5),
    scratch_lacks=st.text(max_size=5),
    container=st.sampled_from(["", "Docker"]),
    ia32=st.sampled_from([True, False, None]),
    x32=st.sampled_from([True, False, None]),
    core_pattern=st.sampled_from(["", "core", "|", "|/a b", "@"]),
    core_limit=st.sampled_from([0, 1]),
    lsm=st.sampled_from(["", "yama"]),
    proc=st.sampled_from(["", "/proc is not mounted: mount it"]),
)  # fmt: skip


@given(FACTS)
def test_every_shortfall_says_what_is_lost_and_how_to_mend_it(facts: Facts) -> None:
    features = examine(facts)
    for one in features:
        assert one.level in get_args(Level)
        assert bool(one.lost) == bool(one.remedies) == (one.level in ("partial", "none"))
        assert one.found
        assert one.purpose
    assert all(line.isprintable() for line in render(features))
    assert json.loads(json.dumps([as_dict(one) for one in features]))
    assert len({one.name for one in features}) == len(features)
