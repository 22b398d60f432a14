"""The @groups and the emulations are made of names the call table knows."""

from __future__ import annotations

import pytest

from sandbox.policy.emulations import EMULATION_CALLS, EMULATIONS
from sandbox.policy.groups import GROUPS, expand
from sandbox.syscalls import table


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_every_name_in_a_group_is_a_call(group: str) -> None:
    names = expand(group)
    assert names
    assert len(names) == len(set(names))
    assert [name for name in names if table.number(name) is None] == []


@pytest.mark.parametrize(
    ("group", "member"),
    [
        ("@basic-io", "pwritev2"),
        ("@file-system", "openat2"),
        ("@file-system", "fchmodat2"),
        ("@file-write", "lchown"),
        ("@default", "mmap"),
        ("@default", "rseq"),
        ("@process", "clone3"),
        ("@network-io", "socketpair"),
        ("@ipc", "shmat"),
        ("@ipc", "mq_open"),
        ("@aio", "io_uring_setup"),
        ("@privileged", "init_module"),
        ("@privileged", "setuid"),
        ("@debug", "ptrace"),
    ],
)
def test_members(group: str, member: str) -> None:
    assert member in expand(group)


@pytest.mark.parametrize(
    ("group", "stranger"),
    [
        ("@memory", "process_madvise"),
        ("@file-read", "unlink"),
        ("@file-read", "truncate"),
        ("@signal", "kill"),
        ("@timer", "clock_settime"),
        ("@default", "fork"),
        ("@basic-io", "open"),
    ],
)
def test_strangers(group: str, stranger: str) -> None:
    assert stranger not in expand(group)


def test_hardly_any_call_is_in_no_group() -> None:
    grouped = {name for group in GROUPS if group != "@all" for name in expand(group)}
    assert set(table.NUMBERS) - grouped == {
        "ioctl",
        "lsm_get_self_attr",
        "lsm_list_modules",
        "lsm_set_self_attr",
        "sysinfo",
        "userfaultfd",
    }


def test_all_is_every_call() -> None:
    assert set(expand("@all")) == set(table.NUMBERS)


def test_emulations_name_calls() -> None:
    assert len(EMULATION_CALLS) == len(EMULATIONS)
    assert all(table.number(name) is not None for one in EMULATIONS for name in one.calls)
