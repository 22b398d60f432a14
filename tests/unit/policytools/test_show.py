"""What `policy show` prints loads to the same policy."""

from __future__ import annotations

import pytest

from sandbox.policy.load import load, loads, shipped
from sandbox.policy.model import Policy, Rule
from sandbox.policytools import toml
from sandbox.policytools.show import render
from sandbox.syscalls.table import Arg


def anywhere(policy: Policy) -> dict[str, object]:
    """A policy without what says which file it comes from."""
    rules = {
        nr: tuple(rule._replace(file="", line=0) for rule in chain) for nr, chain in policy.rules.items()
    }
    return policy._replace(rules=rules, sha256="")._asdict()


def again(policy: Policy) -> Policy:
    return loads(render(policy), file=policy.file)


@pytest.mark.parametrize("name", shipped())
def test_shipped_policies_come_back_whole(name: str) -> None:
    policy = load(name)
    assert anywhere(again(policy)) == anywhere(policy)
    assert max(len(line) for line in render(policy).splitlines() if line.startswith(" ")) <= 110


RULES = [
    'call = "close"\nverdict = "EPERM"',
    'call = "close"\nverdict = "kill"\nhint = "a \\"hint\\" with \\\\ in it, äöü"',
    'call = "close"\nverdict = "watch"',
    'call = "close"\nverdict = "EPERM"\nquiet = true',
    'call = "close"\nreturn = 5',
    'call = "close"\nreturn = 0\nquiet = true',
    'call = "close"\nwhen = { fd = -1 }\nverdict = "EPERM"',
    'call = "close"\nwhen = { fd = { in = [1, 2, -3] } }\nverdict = "EPERM"',
    'call = "close"\nwhen = { fd = { ne = 4 } }\nverdict = "EPERM"',
    'call = "close"\nwhen = { fd = { ge = -5, lt = 9, ne = 3 } }\nverdict = "EPERM"',
    'call = "close"\nwhen = { fd = { mask = 0xf0, in = [0x10, 0x20] } }\nverdict = "EPERM"',
    'call = "lseek"\nwhen = { offset = { gt = -9223372036854775808 } }\nverdict = "EPERM"',
    'call = "read"\nwhen = { count = 0xffffffffffffffff }\nverdict = "EPERM"',
    'call = "read"\nwhen = { count = { mask = 0x8000000000000001, ne = 0 } }\nverdict = "EPERM"',
    'call = "clone"\nunless = { flags = "CLONE_VM|SIGCHLD", child_stack = 0 }\nverdict = "EPERM"',
    'call = "clone"\nwhen = { flags = { mask = "~(CLONE_VM|CLONE_VFORK|0xff)", eq = 0 } }\nverdict = "EPERM"',
    'call = "clone"\nwhen = { flags = { mask = 0xff, eq = "SIGCHLD" } }\nverdict = "EPERM"',
    'call = "openat"\nwhen = { dirfd = "AT_FDCWD", path = 0 }\nverdict = "EPERM"',
    'call = "openat"\nwhen = { dirfd = { ne = "AT_FDCWD" } }\nverdict = "EPERM"',
    'call = "open"\nwhen = { flags = { mask = "O_RDWR|O_TMPFILE", ne = 0 }, mode = 0o644 }\nverdict = "EIO"',
    'call = "open"\nrewrite = { flags = { mask = "~O_CLOEXEC" }, mode = 0 }',
    'call = "open"\nrewrite = { flags = "O_RDONLY|O_CLOEXEC", mode = { mask = 0o777 } }',
    'call = "kill"\nwhen = { sig = "SIGKILL", pid = { le = 0 } }\nverdict = "EPERM"',
    'call = "kill"\nwhen = { sig = 77 }\nverdict = "EPERM"',
    'call = "socket"\nunless = { domain = { in = ["AF_UNIX", "AF_INET", 99] } }\nverdict = "EPERM"',
    'call = "ioctl"\nwhen = { request = { in = ["TIOCSTI", 0x1234] } }\nverdict = "EPERM"',
    'call = "clock_gettime"\nemulate = "zero-clock"',
    'call = ["openat", "renameat2", "unlinkat"]\nwhen = { flags = 1 }\nverdict = "EPERM"',
    'call = ["fchmodat2", "openat"]\nwhen = { flags = { mask = "~1", ne = 0 } }\nverdict = "EPERM"',
    'call = ["clone", "open", "memfd_create"]\nwhen = { flags = 0xffffffff }\nverdict = "EPERM"',
    'call = ["read", "pread64", "close"]\nwhen = { fd = -1 }\nverdict = "EPERM"',
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_every_form_of_a_rule_comes_back(rule: str) -> None:
    policy = loads(f'schema = 1\n[[rule]]\nid = "r"\n{rule}\n')
    assert anywhere(again(policy)) == anywhere(policy)


SECTIONS = """
schema = 1
name = "whole"
description = "Alles, \\"möglich\\""
unlisted = "kill"
[calls]
allow = ["read"]
watch = ["open"]
kill = ["ptrace"]
refuse = { ENOTTY = ["ioctl"], EPERM = ["mount"] }
return = { 0 = ["madvise"], 7 = ["getpid"] }
[process]
vfork = "kernel"
max = 3
threads = true
vdso = false
[limits]
wall = 0.00001
cpu = "1m"
memory = "5MiB"
output = 9
file-size = "2GiB"
open-files = 7
[files]
read = ["/a b", "${cwd}/x"]
scratch = true

[network]
families = ["AF_INET"]
connect = [443, 80]
[environment]
keep = ["LC_*"]
set = { A = "1", "B.C" = "a\\u0007\\nb\\u202e\\"\\\\ 🙂" }
[[waiver]]
name = "unlisted"
reason = "none"
"""


def test_every_section_comes_back() -> None:
    policy = loads(SECTIONS)
    assert anywhere(again(policy)) == anywhere(policy)
    for name, default in Policy._field_defaults.items():
        assert getattr(policy, name) != default, f"{name} is not part of this test"


def test_nothing_hostile_reaches_the_terminal() -> None:
    text = render(loads(SECTIONS, file="\x1b[2J.toml"))
    assert all(line.isprintable() for line in text.splitlines())


def test_rules_keep_their_order_across_files() -> None:
    text = """
    schema = 1
    extends = "workspace"
    [[rule]]
    id = "mine"
    call = ["open", "clone", "socket"]
    verdict = "EIO"
    """
    policy = loads(text, file="mine.toml")
    shown = render(policy)
    assert anywhere(again(policy)) == anywhere(policy)
    assert "# mine.toml:4\n" in shown
    assert "workspace.toml:" in shown
    assert "default.toml:" in shown
    assert shown.index('id = "mine"') < shown.index('id = "make-tasks"') < shown.index('id = "clone-flags"')


def test_rules_are_ordered_by_what_must_come_first() -> None:
    """Lines say nothing here: a rule of the extended file stands between two of this one."""
    policy = loads('schema = 1\n[[rule]]\nid = "a"\ncall = ["dup", "dup2"]\nverdict = "EPERM"\n')
    one, two = policy.rules[32][0], policy.rules[33][0]
    other: Rule = one._replace(id="b", line=1, file="z")
    mixed = policy._replace(rules={32: (one, other), 33: (two,)})
    assert [rule.id for rule in loads(render(mixed)).rules[32]] == ["a", "b"]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ([(Arg("f", "ulong", "clone"), 0x4111)], '"CLONE_VM|CLONE_VFORK|SIGCHLD"'),
        ([(Arg("f", "int"), 0xFFFFFFFF)], "-1"),
        ([(Arg("f", "int"), 0xFFFFFFFF), (Arg("f", "long"), (1 << 64) - 1)], "-1"),
        ([(Arg("f", "int"), 0xFFFFFFFF), (Arg("f", "uint"), 0xFFFFFFFF)], "0xffffffff"),
        ([(Arg("m", "mode"), 0o755)], "0o755"),
        ([(Arg("d", "dirfd"), 0xFFFFFF9C)], '"AT_FDCWD"'),
        ([(Arg("p", "path"), 0)], "0"),
    ],
)
def test_numbers(typed: list[toml.Typed], shown: str) -> None:
    assert toml.number(typed) == shown


@pytest.mark.parametrize(
    ("flag_set", "bits", "mask", "shown"),
    [
        ("open", 32, 3, '"O_ACCMODE"'),
        ("open", 32, 0x43, '"O_ACCMODE|O_CREAT"'),
        ("open", 32, 1, '"O_WRONLY"'),
        ("open", 32, 0xFFFF_FFFC, '"~(O_ACCMODE)"'),
        ("open", 32, 0x400_0003, "0x4000003"),
        ("mmap_flags", 64, 0xF, '"MAP_TYPE"'),
        ("mmap_flags", 64, 0x2F, '"MAP_TYPE|MAP_ANONYMOUS"'),
        ("clone", 64, 0xFF, '"CSIGNAL"'),
        ("statx_at", 32, 0x1000, '"AT_EMPTY_PATH"'),
        ("fanotify_mark", 32, 0x1, '"FAN_MARK_ADD"'),
    ],
)
def test_masks(flag_set: str, bits: int, mask: int, shown: str) -> None:
    arg = Arg("f", "uint" if bits == 32 else "ulong", flag_set)
    assert toml.mask([(arg, mask)]) == shown


def test_no_number_for_types_that_share_none() -> None:
    with pytest.raises(ValueError, match="all these calls"):
        toml.number([(Arg("f", "int"), 1), (Arg("f", "int"), 2)])
