"""The call table against two tables of other people, and against what the kernel reads."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from ptrace.syscall.linux.x86_64 import SYSCALL_NAMES

from sandbox.syscalls import flags, table
from sandbox.syscalls.table import Arg

NEWEST = 469
_SYSTEM = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h")
_WHEEL = "lib/libc/include/x86-linux-any/asm/unistd_64.h"


def _wheel_header() -> Path:
    spec = importlib.util.find_spec("ziglang")
    folders = (spec.submodule_search_locations or []) if spec else []
    return next((Path(folder, _WHEEL) for folder in folders), Path("absent"))


def _header(where: str) -> Path:
    found = [_wheel_header()] if where == "ziglang" else [Path(path) for path in _SYSTEM]
    for path in found:
        if path.is_file():
            return path
    pytest.skip("no asm/unistd_64.h")


@pytest.mark.parametrize("where", ["system", "ziglang"])
def test_numbers_are_the_headers(where: str) -> None:
    text = _header(where).read_text(encoding="utf-8")
    theirs = {name: int(nr) for name, nr in re.findall(r"^#define __NR_(\w+)\s+(\d+)", text, re.MULTILINE)}
    assert len(theirs) >= 330
    known = {name: nr for name, nr in theirs.items() if nr <= NEWEST}
    assert {name: table.number(name) for name in known} == known
    assert set(table.NUMBERS.values()) >= set(known.values())


def test_numbers_are_python_ptraces() -> None:
    wrong_there = {283}  # it calls timerfd_create "timerfd"
    ours = {nr: table.name(nr) for nr in SYSCALL_NAMES if nr < 512 and nr not in wrong_there}
    assert len(ours) >= 330
    assert ours == {nr: SYSCALL_NAMES[nr] for nr in ours}


def test_no_gap_but_the_unassigned_range() -> None:
    assert sorted(table.NUMBERS.values()) == [*range(337), *range(424, NEWEST + 1)]


@pytest.mark.parametrize("nr", [-1, 337, 423, NEWEST + 1, 999, 0xFFFF_FFFF])
def test_unknown_call_has_a_name_and_six_registers(nr: int) -> None:
    assert table.name(nr) == f"syscall_{nr}"
    assert table.arguments(nr) == tuple(Arg(f"arg{index}", "ulong") for index in range(6))


@pytest.mark.parametrize("call", ["", "nosuch", "Read", "read ", "read\0", "syscall_0"])
def test_unknown_name_has_no_number(call: str) -> None:
    assert table.number(call) is None


@pytest.mark.parametrize("call", sorted(table.NUMBERS))
def test_name_and_number_are_inverse(call: str) -> None:
    assert table.name(table.NUMBERS[call]) == call


@pytest.mark.parametrize("call", sorted(table.NUMBERS))
def test_arguments_are_well_formed(call: str) -> None:
    arguments = table.arguments(table.NUMBERS[call])
    names = [arg.name for arg in arguments]
    assert len(names) == len(set(names)) <= 6
    assert all(re.fullmatch(r"[a-z_][a-z0-9_]*", name) for name in names)
    assert {arg.kind for arg in arguments} <= table.KINDS
    assert {arg.flags for arg in arguments if arg.flags} <= set(flags.FLAG_SETS)


def test_every_flag_set_belongs_to_an_argument() -> None:
    used = {arg.flags for nr in table.NUMBERS.values() for arg in table.arguments(nr)}
    assert set(flags.FLAG_SETS) - used == {"mode", "signal"}


def test_only_these_calls_take_nothing() -> None:
    bare = {call for call, nr in table.NUMBERS.items() if not table.arguments(nr)}
    assert bare == {
        *("fork", "vfork", "pause", "sync", "sched_yield", "munlockall", "vhangup", "restart_syscall"),
        *("getpid", "getppid", "gettid", "getpgrp", "setsid", "getuid", "geteuid", "getgid", "getegid"),
        *("rt_sigreturn", "inotify_init", "uretprobe", "uprobe", "tuxcall", "security", "vserver"),
    }


@pytest.mark.parametrize(
    ("call", "names"),
    [
        ("clone", "flags child_stack ptid ctid tls"),
        ("open", "path flags mode"),
        ("openat", "dirfd path flags mode"),
        ("execve", "path argv envp"),
        ("write", "fd buf count"),
        ("mmap", "addr length prot flags fd offset"),
        ("kill", "pid sig"),
        ("wait4", "pid status options rusage"),
        ("fcntl", "fd cmd arg"),
        ("ioctl", "fd request arg"),
        ("arch_prctl", "code addr"),
        ("prctl", "option arg2 arg3 arg4 arg5"),
        ("socket", "domain type protocol"),
        ("clock_gettime", "clock_id tp"),
        ("sched_getaffinity", "pid cpusetsize mask"),
        ("getrandom", "buf count flags"),
        ("pipe2", "pipefd flags"),
        ("futex", "uaddr op val timeout uaddr2 val3"),
    ],
)
def test_arguments_in_register_order(call: str, names: str) -> None:
    assert " ".join(arg.name for arg in table.arguments(table.NUMBERS[call])) == names


@pytest.mark.parametrize(
    ("call", "name", "bits", "signed"),
    [
        ("clone", "flags", 64, False),
        ("unshare", "flags", 64, False),
        ("open", "flags", 32, True),
        ("open", "mode", 32, False),
        ("close", "fd", 32, True),
        ("openat", "dirfd", 32, True),
        ("mmap", "fd", 32, True),
        ("mmap", "prot", 64, False),
        ("readv", "fd", 32, True),
        ("readv", "iovcnt", 32, False),
        ("pwritev2", "iovcnt", 32, False),
        ("vmsplice", "nr_segs", 32, False),
        ("process_madvise", "vlen", 32, False),
        ("process_vm_readv", "liovcnt", 32, False),
        ("process_vm_readv", "riovcnt", 64, False),
        ("mbind", "mode", 32, True),
        ("mbind", "maxnode", 64, False),
        ("lseek", "offset", 64, True),
        ("write", "count", 64, False),
        ("ioctl", "request", 32, False),
        ("ioctl", "arg", 64, False),
        ("fcntl", "cmd", 32, False),
        ("prctl", "option", 32, True),
        ("prctl", "arg2", 64, False),
        ("ptrace", "op", 64, True),
        ("ptrace", "pid", 32, True),
        ("kill", "sig", 32, True),
        ("socket", "domain", 32, True),
        ("futex", "val", 32, False),
        ("setuid", "uid", 32, False),
        ("execve", "argv", 64, False),
        ("seccomp", "operation", 32, False),
    ],
)
def test_width_and_sign_are_the_kernels(call: str, name: str, bits: int, signed: bool) -> None:
    arg = next(arg for arg in table.arguments(table.NUMBERS[call]) if arg.name == name)
    assert (arg.bits, arg.signed) == (bits, signed)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("opne", "open"),
        ("OPENAT", "openat"),
        ("exceve", "execve"),
        ("zzzzzz", ""),
        ("", ""),
        ("x" * 100_000, ""),
    ],
)
def test_suggest(word: str, expected: str) -> None:
    assert table.suggest(word, table.NUMBERS) == expected
