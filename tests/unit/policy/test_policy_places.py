"""The `[files]` of the shipped policies: what a guest can reach, as Landlock takes it.

A path in a list stands for itself and for all beneath it.
"""

from __future__ import annotations

import pytest

from sandbox.launch.confine import expand
from sandbox.policy.load import load, shipped
from sandbox.policy.model import Files

CWD, PROGRAM, SCRATCH = "/srv/job", "/srv/tool", "/tmp/sandbox-0"
NAMES = {"cwd": CWD, "program": PROGRAM, "scratch": SCRATCH}


def files_of(name: str) -> Files:
    files = load(name).files
    assert files is not None
    return files


CONFINED = ["compute", "default", "ostoo", "workspace"]
FILES = {name: files_of(name) for name in CONFINED}


def reached(name: str) -> list[str]:
    """All that a run can read in any way: what may be written or executed may be read as well."""
    files = FILES[name]
    return expand([*files.read, *files.write, *files.exec], NAMES)


def beneath(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")


@pytest.mark.parametrize(
    ("path", "top", "expected"),
    [
        ("/etc/ssl", "/etc", True),
        ("/etc", "/etc", True),
        ("/etc", "/", True),
        ("/etcetera", "/etc", False),
        ("/etc", "/etc/ssl", False),
    ],
)
def test_beneath(path: str, top: str, expected: bool) -> None:
    assert beneath(path, top) is expected


# Nothing of these, and nothing in them.
SECRETS = [
    *("/root", "/home", "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/ssh"),
    *("/etc/ssl/private", "/etc/pki/tls/private", "/etc/sudoers", "/etc/sudoers.d", "/etc/krb5.keytab"),
    *("/etc/letsencrypt", "/etc/wireguard", "/etc/NetworkManager", "/etc/wpa_supplicant", "/etc/netplan"),
    *("/etc/security/opasswd", "/etc/crypttab", "/etc/kubernetes", "/etc/docker", "/etc/environment"),
    *("/etc/machine-id", "/etc/fstab", "/etc/mysql", "/etc/postgresql", "/etc/apt/auth.conf"),
    *("/var/lib/docker", "/var/lib/mysql", "/var/log", "/var/mail", "/var/spool", "/var/backups"),
    *("/run", "/var/run", "/boot", "/media", "/mnt", "/tmp/other", "/var/tmp", "/srv/other"),
    *("/sys/kernel", "/sys/firmware", "/sys/class", "/dev/mem", "/dev/kmem", "/dev/sda", "/dev/nvme0n1"),
    *("/dev/kvm", "/dev/fuse", "/dev/input", "/dev/pts", "/dev/ptmx", "/dev/console", "/dev/tty0"),
    *("/dev/uinput", "/dev/net", "/dev/vcs", "/dev/port", "/dev/disk", "/dev/mapper", "/dev/loop-control"),
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("name", CONFINED)
def test_secrets_stay_out_of_reach(name: str, secret: str) -> None:
    assert not [path for path in reached(name) if beneath(secret, path) or beneath(path, secret)]


# So wide that what is in them can't be told.
WIDE = [
    *("/", "/etc", "/etc/ssl", "/etc/default", "/var", "/var/lib", "/tmp", "/srv", "/dev", "/sys", "/sys/fs"),
    *("/sys/devices", "/nix", "/gnu"),
]


@pytest.mark.parametrize("wide", WIDE)
@pytest.mark.parametrize("name", CONFINED)
def test_no_whole_tree_that_holds_secrets(name: str, wide: str) -> None:
    assert not [path for path in reached(name) if beneath(wide, path)]


SYSTEM = {
    *("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/opt", "/nix/store", "/gnu/store"),
    *("/proc", "/sys/devices/system/cpu", "/sys/fs/cgroup"),
}
DEVICES = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}
RUN = {"${cwd}", "${program}"}


@pytest.mark.parametrize(
    ("name", "beyond_etc"),
    [
        ("default", SYSTEM | DEVICES | RUN),
        ("compute", SYSTEM | DEVICES | RUN),
        ("workspace", SYSTEM | DEVICES | RUN | {"/var/lib/dpkg/status"}),
        ("ostoo", RUN | {"/usr", "/lib", "/lib64", "/bin", "/dev/null"}),
    ],
)
def test_what_is_read(name: str, beyond_etc: set[str]) -> None:
    assert {path for path in FILES[name].read if not path.startswith("/etc/")} == beyond_etc


PROGRAMS = {
    *("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/opt", "/nix/store", "/gnu/store"),
    *RUN,
}
HARMLESS = {"/dev/null", "/dev/zero", "/dev/full", "/dev/tty"}


@pytest.mark.parametrize(
    ("name", "written", "executed", "scratch"),
    [
        ("default", {"${scratch}"} | HARMLESS, PROGRAMS, True),
        ("workspace", {"${cwd}", "${scratch}", "/dev/shm"} | HARMLESS, PROGRAMS | {"${scratch}"}, True),
        ("compute", {"/dev/null"}, {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "${program}"}, False),
        ("ostoo", set(), {"/usr", "/bin"} | RUN, False),
    ],
)
def test_what_is_written_and_executed(
    name: str, written: set[str], executed: set[str], scratch: bool
) -> None:
    files = FILES[name]
    assert (set(files.write), set(files.exec), files.scratch) == (written, executed, scratch)


@pytest.mark.parametrize("name", ["compute", "default", "ostoo"])
def test_nothing_is_both_written_and_executed(name: str) -> None:
    written, executed = (expand(paths, NAMES) for paths in (FILES[name].write, FILES[name].exec))
    assert not [(a, b) for a in written for b in executed if beneath(a, b) or beneath(b, a)]


@pytest.mark.parametrize("name", CONFINED)
def test_no_path_is_listed_twice_or_leads_elsewhere(name: str) -> None:
    for paths in FILES[name][:3]:
        assert len(set(paths)) == len(paths)
        assert not [path for path in paths if ".." in path.split("/") or "//" in path or path.endswith("/")]


def test_every_shipped_policy_is_looked_at_here() -> None:
    """Or confines no files: `observe`, which is there to see what a program would do."""
    unconfined = {name for name in shipped() if load(name).files is None}
    assert set(shipped()) - set(CONFINED) == unconfined <= {"observe"}
