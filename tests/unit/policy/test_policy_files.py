"""Policies on disk: names, `extends`, and files that are none."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from sandbox.errors import PolicyError
from sandbox.outcome import Allow, Refuse
from sandbox.policy.load import find_shipped, load, loads, shipped
from sandbox.policy.model import Policy
from sandbox.syscalls import table
from sandbox.syscalls.call import Call

BASE = """
schema = 1
name = "base"
description = "below"
unlisted = "EPERM"
[calls]
allow = ["read", "write"]
refuse = { ENOTTY = ["ioctl"] }
[[rule]]
id = "base-dup"
call = "dup"
verdict = "EMFILE"
[process]
max = 4
threads = true
[limits]
wall = 5
open-files = 10
[environment]
keep = ["A"]
set = { B = "base", C = "base" }
[[waiver]]
name = "both"
reason = "of the base"
"""
CHILD = """
schema = 1
extends = "base.toml"
[calls]
allow = ["@network-io"]
refuse = { EACCES = ["write"] }
[[rule]]
id = "child-dup"
call = "dup"
when = { oldfd = 1 }
verdict = "EBADF"
[process]
max = 8
[limits]
open-files = 20
[environment]
keep = ["D"]
set = { C = "child" }
[[waiver]]
name = "both"
reason = "of the child"
"""


def write(directory: Path, **files: str) -> None:
    for name, text in files.items():
        (directory / f"{name}.toml").write_text(text, "utf-8")


def verdict(policy: Policy, name: str, first: int = 0) -> object:
    nr = table.number(name)
    assert nr is not None
    return policy.decide(Call(nr, (first, 0, 0, 0, 0, 0)))


@pytest.fixture
def child(tmp_path: Path) -> Policy:
    write(tmp_path, base=BASE, child=CHILD)
    return load(str(tmp_path / "child.toml"))


@pytest.mark.parametrize(
    ("name", "first", "decision"),
    [
        ("read", 0, Allow("calls.allow")),
        ("write", 0, Refuse(13, "calls.refuse", recorded=False)),
        ("ioctl", 0, Refuse(25, "calls.refuse", recorded=False)),
        ("socket", 0, Allow("calls.allow")),
        ("dup", 1, Refuse(9, "child-dup")),
        ("dup", 0, Refuse(24, "base-dup")),
        ("getpid", 0, Refuse(1, "unlisted")),
    ],
)
def test_a_policy_adds_to_what_it_extends(child: Policy, name: str, first: int, decision: object) -> None:
    assert verdict(child, name, first) == decision


def test_sections_are_overridden_key_by_key(child: Policy) -> None:
    assert (child.name, child.description) == ("child", "")
    assert (child.process.max, child.process.threads) == (8, True)
    assert (child.limits.wall, child.limits.open_files) == (5.0, 20)
    assert child.environment.keep == ("D",)
    assert child.environment.set == (("B", "base"), ("C", "child"))
    assert [waiver.reason for waiver in child.waivers] == ["of the child"]


def test_the_hash_is_over_all_files_in_order(child: Policy) -> None:
    assert child.sha256 == hashlib.sha256((CHILD + BASE).encode()).hexdigest()
    assert loads(BASE).sha256 == hashlib.sha256(BASE.encode()).hexdigest()


def test_replace_drops_the_lists_and_keeps_the_rules(tmp_path: Path) -> None:
    write(
        tmp_path,
        base=BASE,
        child='schema = 1\nextends = "base.toml"\n[calls]\nreplace = true\nallow = ["dup"]',
    )
    policy = load(str(tmp_path / "child.toml"))
    assert verdict(policy, "read") == Refuse(1, "unlisted")
    assert verdict(policy, "dup") == Refuse(24, "base-dup")


def test_several_levels_each_relative_to_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, base=BASE, top='schema = 1\nextends = "sub/middle.toml"')
    write(tmp_path / "sub", middle='schema = 1\nextends = "../base.toml"\nunlisted = "kill"')
    policy = load(str(tmp_path / "top.toml"))
    assert policy.process.max == 4
    assert policy.unlisted == loads('schema = 1\nunlisted = "kill"').unlisted


def test_a_shipped_policy_is_extended_by_its_name(tmp_path: Path) -> None:
    write(tmp_path, mine='schema = 1\nextends = "ostoo"\ncalls.allow = ["getppid"]')
    policy = load(str(tmp_path / "mine.toml"))
    assert verdict(policy, "getppid") == Allow("calls.allow")
    assert verdict(policy, "lseek") == verdict(load("ostoo"), "lseek")
    assert policy.rules == load("ostoo").rules


@pytest.mark.parametrize(
    ("files", "line", "says"),
    [
        ({"a": 'schema = 1\nextends = "a.toml"'}, "a.toml:2: ", "comes back"),
        (
            {"a": 'schema = 1\nextends = "b.toml"', "b": 'schema = 1\n\nextends = "./a.toml"'},
            "b.toml:3: ",
            "comes back",
        ),
        ({"a": 'schema = 1\nextends = "b.toml"', "b": "schema = 1\nnam = 1"}, "b.toml:2: ", "'nam'"),
        ({"a": 'schema = 1\nextends = "b.toml"'}, "a.toml:2: ", "No such file"),
    ],
)
def test_extends_gone_wrong(tmp_path: Path, files: dict[str, str], line: str, says: str) -> None:
    write(tmp_path, **files)
    with pytest.raises(PolicyError) as caught:
        load(str(tmp_path / "a.toml"))
    assert says in str(caught.value)
    assert f"/{line}" in str(caught.value)


def test_a_circle_through_a_symbolic_link_is_found(tmp_path: Path) -> None:
    write(tmp_path, a='schema = 1\nextends = "b.toml"')
    (tmp_path / "b.toml").symlink_to("a.toml")
    with pytest.raises(PolicyError, match="comes back"):
        load(str(tmp_path / "a.toml"))


def test_too_many_levels(tmp_path: Path) -> None:
    write(tmp_path, **{f"p{nth}": f'schema = 1\nextends = "p{nth + 1}.toml"' for nth in range(12)})
    with pytest.raises(
        PolicyError, match=r"p8\.toml:2: .* one level too many; allowed here: at most 8 levels"
    ):
        load(str(tmp_path / "p0.toml"))


def test_a_rule_id_of_the_extended_policy_is_taken(tmp_path: Path) -> None:
    rule = '\n[[rule]]\nid = "base-dup"\ncall = "dup"\nverdict = "EPERM"'
    write(tmp_path, base=BASE, child='schema = 1\nextends = "base.toml"' + rule)
    with pytest.raises(PolicyError, match=r"child.toml:3: rule id 'base-dup' is used by .*base.toml:9"):
        load(str(tmp_path / "child.toml"))


def test_a_fifo_a_directory_and_a_device_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.toml")
    (tmp_path / "dir.toml").mkdir()
    for path in (tmp_path / "fifo.toml", tmp_path / "dir.toml", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(
            PolicyError, match="can't read the policy; allowed here: a regular file"
        ) as caught:
            load(str(path))
        assert caught.value.file == str(path)


@pytest.mark.parametrize("name", ["/no/such/file.toml", "nul\0/x", "x" * 5000 + "/y", "/proc/self/mem"])
def test_unreadable_files(name: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load(name)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"schema = 1\nname = '\xff'", ":2: the policy is not UTF-8 text"),
        (bytes(range(256)), ":2: the policy is not UTF-8 text"),
        (b"\x7fELF\x02\x01\x01" + bytes(9), ":1: not valid TOML"),
        (b"#" * (10 << 20), ":1: the policy is too large"),
        (b"", ":1: schema is missing"),
    ],
)
def test_files_that_hold_no_policy(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "p.toml").write_bytes(data)
    with pytest.raises(PolicyError) as caught:
        load(str(tmp_path / "p.toml"))
    assert f"p.toml{says}" in str(caught.value)


@pytest.mark.parametrize("name", ["nosuch", "", "default ", "..", "\n"])
def test_an_unknown_name_is_told_the_names_there_are(name: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load(name)
    assert "no shipped policy named" in caught.value.message
    assert all(known in caught.value.allowed for known in shipped())
    assert str(caught.value).isprintable()


def test_a_shipped_policy_is_a_file_and_can_be_loaded_as_one() -> None:
    path = find_shipped("ostoo")
    assert load(path) == load("ostoo")
    assert load(path).file == path


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    write(tmp_path, base=BASE, child=CHILD)
    before = os.listdir("/proc/self/fd")
    load(str(tmp_path / "child.toml"))
    with pytest.raises(PolicyError):
        load(str(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == len(before)
