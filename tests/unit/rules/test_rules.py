"""Rule families and emulations with a guest that is only a table."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import NamedTuple

import pytest

from sandbox import rules
from sandbox.outcome import Allow, Decision, Emulate, Refuse, Return, Verdict, Write
from sandbox.policy.actions import NEVER_REWRITTEN
from sandbox.policy.model import Policy, Process
from sandbox.rules import metadata, stubs
from sandbox.syscalls import table
from sandbox.syscalls.call import Call

ELF64 = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\x3e\0"
ELF32 = b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x02\0\x03\0"
ARM64 = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\xb7\0"
SELF, SIBLING, STRANGER, OUR_GROUP, OTHER_GROUP = 50, 51, 900, 50, 40

NOTHING = Process()


class View(NamedTuple):
    """A GuestView answered from fields. `vector` is what lies at 0x3000: pointers."""

    tasks: int = 1
    files: dict[bytes, bytes] = {}
    strings: dict[int, bytes] = {0x1000: b"/bin/program"}
    vector: int = 2
    group: int = OTHER_GROUP
    pid: int = SELF
    unreadable: tuple[bytes, ...] = ()

    def is_guest(self, pid: int) -> bool:
        return pid in (SELF, SIBLING)

    def is_guest_group(self, pgid: int) -> bool:
        return pgid == OUR_GROUP

    def own_group(self) -> int:
        return self.group

    def guests(self) -> set[int]:
        return {SELF, SIBLING}

    def guests_in_group(self, pgid: int) -> set[int]:
        return {SELF, SIBLING} if pgid == self.group else set()

    def read(self, address: int, length: int) -> bytes:
        if not 0x3000 <= address < 0x10000:
            raise OSError(errno.EFAULT, "process_vm_readv")
        return (0x1000 if address < 0x3000 + 8 * self.vector else 0).to_bytes(8, "little")

    def read_string(self, address: int) -> bytes:
        if address not in self.strings:
            raise OSError(errno.EFAULT, "process_vm_readv")
        return self.strings[address]

    def is_directory(self, fd: int) -> bool | None:
        return {3: True, 4: False}.get(fd)

    def program_head(self, path: bytes, length: int) -> bytes | None:
        if path in self.unreadable:
            raise PermissionError(errno.EACCES, "")
        return self.files.get(path)


def policy(process: Process = NOTHING, emulate: dict[str, str] | None = None) -> Policy:
    allow: dict[int, Decision] = {nr: Allow("calls.allow") for nr in rules.SUPERVISED}
    for name, wish in (emulate or {}).items():
        allow[table.NUMBERS[name]] = Emulate(wish, "the-rule")
    return Policy("t", "", "", "", Refuse(errno.ENOSYS, "unlisted"), allow, {}, process)


def call(name: str, *args: int) -> Call:
    six = [*args, 0, 0, 0, 0, 0, 0][:6]
    return Call(table.NUMBERS[name], tuple(one & (1 << 64) - 1 for one in six))  # type: ignore[arg-type]


ALLOWED = Allow("calls.allow")
THREADS = Process(threads=True)


@pytest.mark.parametrize(
    ("process", "made", "verdict"),
    [
        (Process(), call("clone", 0x4111, 0x1000), ALLOWED),
        (Process(), call("clone", 0x11), ALLOWED),
        (Process(), call("clone", 0x3D0F00, 0x1000), Refuse(errno.ENOSYS, "process.threads")),
        (Process(), call("clone", 0x111, 0x1000), Refuse(errno.ENOSYS, "process.threads")),
        (THREADS, call("clone", 0x3D0F00, 0x1000), ALLOWED),
        (THREADS, call("clone", 0x3D8F00, 0x1000), ALLOWED),
        (THREADS, call("clone", 0x8011), Refuse(errno.EPERM, "clone-parent")),
        (THREADS, call("clone", 0x4111 | 0x800000, 0x1000), Refuse(errno.EPERM, "clone-untraced")),
        (THREADS, call("clone", 0x4111 | 0x2000, 0x1000), Refuse(errno.EPERM, "clone-untraced")),
        *[
            (THREADS, call("clone", 0x11 | flag), Refuse(errno.EPERM, "clone-namespaces"))
            for flag in (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
        ],
        (THREADS, call("clone3", 0x1000, 88), Refuse(errno.ENOSYS, "clone3-unreadable")),
        (Process(), call("fork"), ALLOWED),
        (Process(), call("vfork"), ALLOWED),
        (Process(max=2), call("fork"), Refuse(errno.EAGAIN, "process.max")),
        (Process(max=2), call("clone", 0x4111, 0x1000), Refuse(errno.EAGAIN, "process.max")),
        (Process(max=3), call("fork"), ALLOWED),
    ],
)
def test_clone(process: Process, made: Call, verdict: Verdict) -> None:
    found = rules.judge(policy(process), made, View(tasks=2))
    assert (type(found), found) == (type(verdict), verdict)


@pytest.mark.parametrize(
    ("made", "rule"),
    [
        (call("clone3", 0x1000, 88), "clone3-unreadable"),
        (call("clone", 0x8011), "clone-parent"),
        (call("clone", 0x10100), "process.threads"),
        (call("pidfd_send_signal", 3, 9), "signals-outside"),
        (call("clone", 0x4111), None),
        (call("fork"), None),
        (call("kill", STRANGER, 9), None),
        (call("read"), None),
    ],
)
def test_refusals_that_registers_decide(made: Call, rule: str | None) -> None:
    found = rules.refusal(policy(), made)
    assert (found and found.rule) == rule
    if found is not None:
        assert rules.judge(policy(), made, View()) == found


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (call("kill", SELF, 9), ALLOWED),
        (call("kill", SIBLING, 9), ALLOWED),
        (call("kill", STRANGER, 9), Refuse(errno.ESRCH, "signals-outside")),
        (call("kill", 1, 0), Refuse(errno.ESRCH, "signals-outside")),
        (call("kill", -1, 9), Return(0, "signals-outside", signals=((SIBLING, 9),))),
        (call("kill", 0xFFFF_FFFF, 9), Return(0, "signals-outside", signals=((SIBLING, 9),))),
        (call("kill", 0, 9), Return(0, "signals-outside", signals=((SELF, 9), (SIBLING, 9)))),
        (call("kill", -OTHER_GROUP, 0), Return(0, "signals-outside", signals=((SELF, 0), (SIBLING, 0)))),
        (call("kill", 0, 65), Refuse(errno.EINVAL, "calls.allow")),
        (call("kill", 0, -1), Refuse(errno.EINVAL, "calls.allow")),
        (call("kill", -77, 9), Refuse(errno.ESRCH, "signals-outside")),
        (call("pidfd_send_signal", 3, 9), Refuse(errno.ENOSYS, "signals-outside")),
        (call("kill", -OUR_GROUP, 9), ALLOWED),
        (call("kill", -OTHER_GROUP, 9), Return(0, "signals-outside", signals=((SELF, 9), (SIBLING, 9)))),
        (call("kill", STRANGER | 7 << 32, 9), Refuse(errno.ESRCH, "signals-outside")),
        (call("kill", SELF | 7 << 32, 9), ALLOWED),
        (call("tkill", SIBLING, 9), ALLOWED),
        (call("tkill", STRANGER, 9), Refuse(errno.ESRCH, "signals-outside")),
        (call("tkill", -1, 9), ALLOWED),
        (call("tgkill", SELF, STRANGER, 9), Refuse(errno.ESRCH, "signals-outside")),
        (call("tgkill", STRANGER, SELF, 9), Refuse(errno.ESRCH, "signals-outside")),
        (call("tgkill", SELF, SIBLING, 9), ALLOWED),
        (call("tgkill", -1, STRANGER, 9), ALLOWED),
        (call("rt_sigqueueinfo", STRANGER, 9, 0x1000), Refuse(errno.ESRCH, "signals-outside")),
        (call("rt_tgsigqueueinfo", SELF, STRANGER, 9), Refuse(errno.ESRCH, "signals-outside")),
        (call("pidfd_open", STRANGER), Refuse(errno.ESRCH, "signals-outside")),
        (call("pidfd_open", SELF), ALLOWED),
    ],
)
def test_signals(made: Call, verdict: Verdict) -> None:
    found = rules.judge(policy(), made, View())
    assert (type(found), found) == (type(verdict), verdict)


def test_own_group_of_guests_may_be_signalled() -> None:
    assert rules.judge(policy(), call("kill", 0, 15), View(group=OUR_GROUP)) == ALLOWED


@pytest.mark.parametrize(
    ("head", "verdict"),
    [
        (ELF64, ALLOWED),
        (ELF32, Refuse(errno.ENOEXEC, "exec-foreign")),
        (ARM64, Refuse(errno.ENOEXEC, "exec-foreign")),
        (b"#!/bin/sh\n", ALLOWED),
        (b"", ALLOWED),
        (None, ALLOWED),
    ],
)
def test_execve(head: bytes | None, verdict: Verdict) -> None:
    files = {} if head is None else {b"/bin/program": head}
    found = rules.judge(policy(), call("execve", 0x1000, 0x3000, 0), View(files=files))
    assert (type(found), found) == (type(verdict), verdict)


def test_a_file_that_may_be_executed_but_not_read() -> None:
    view = View(unreadable=(b"/bin/program",))
    assert rules.judge(policy(), call("execve", 0x1000), view) == Refuse(errno.EACCES, "exec-unreadable")


def test_execve_of_an_unreadable_path_is_the_kernels_to_judge() -> None:
    """It has EFAULT for it, or reads what we cannot; what runs then is looked at before it does."""
    assert rules.judge(policy(), call("execve", 0xBAD), View()) == ALLOWED


RULE = "the-rule"


@pytest.mark.parametrize(
    ("made", "wish", "verdict"),
    [
        (call("clock_gettime", 99, 0x5000), "zero-clock", Return(0, RULE, (Write(0x5000, bytes(16)),))),
        (call("set_tid_address", 0x5000), "own-pid", Return(SELF, RULE)),
        (call("sched_getaffinity", 0, 0, 0x5000), "one-cpu", Refuse(errno.EINVAL, RULE)),
        (call("sched_getaffinity", 0, 1, 0x5000), "one-cpu", Return(1, RULE, (Write(0x5000, b"\1"),))),
        (
            call("sched_getaffinity", 0, 128, 0x5000),
            "one-cpu",
            Return(128, RULE, (Write(0x5000, b"\1" + bytes(127)),)),
        ),
        (call("sched_getaffinity", 0, 1 << 31, 0x5000), "one-cpu", Refuse(errno.EINVAL, RULE)),
        (call("getdents64", 3, 0x5000, 100), "directory-only", Allow(RULE)),
        (call("getdents64", 4, 0x5000, 100), "directory-only", Refuse(errno.ENOTTY, RULE)),
        (call("getdents64", 9, 0x5000, 100), "directory-only", Refuse(errno.ENOTTY, RULE)),
        (call("execve", 0x1000, 0x3000, 0), "elf-exec", Allow(RULE)),
        (call("execve", 0xBAD, 0x3000, 0), "elf-exec", Refuse(errno.EFAULT, RULE)),
        (call("execve", 0x1000, 0xBAD, 0), "elf-exec", Refuse(errno.EFAULT, RULE)),
        (call("execve", 0x1000, 0, 0), "elf-exec", Allow(RULE)),
    ],
)
def test_emulations(made: Call, wish: str, verdict: Verdict) -> None:
    view = View(files={b"/bin/program": ELF64})
    found = rules.judge(policy(emulate={table.name(made.nr): wish}), made, view)
    assert (type(found), found) == (type(verdict), verdict)


@pytest.mark.parametrize(("count", "verdict"), [(256, Allow(RULE)), (257, Refuse(errno.EINVAL, RULE))])
def test_elf_exec_counts_arguments(count: int, verdict: Verdict) -> None:
    view = View(files={b"/bin/program": ELF64}, vector=count)
    assert (
        rules.judge(policy(emulate={"execve": "elf-exec"}), call("execve", 0x1000, 0x3000), view) == verdict
    )


@pytest.mark.parametrize("head", [b"#!/bin/sh\n", b"", ELF32, ARM64, b"\x7fELF"])
def test_elf_exec_refuses_all_but_native_elf(head: bytes) -> None:
    view = View(files={b"/bin/program": head})
    found = rules.judge(policy(emulate={"execve": "elf-exec"}), call("execve", 0x1000, 0x3000), view)
    assert found == Refuse(errno.ENOEXEC, RULE)


def test_fstat_shows_a_character_device() -> None:
    found = stubs.answer(Emulate("char-device-stat", RULE), call("fstat", 1, 0x5000), View())
    assert isinstance(found, Return)
    [(address, stat)] = found.writes
    assert (found.value, address, len(stat)) == (0, 0x5000, 144)
    assert stat[24:28] == (0o020666).to_bytes(4, "little")
    assert stat[:24] + stat[28:] == bytes(140)


def test_a_vanished_task_is_not_an_errno() -> None:
    class Gone(View):
        def read_string(self, address: int) -> bytes:
            raise ProcessLookupError(errno.ESRCH, "process_vm_readv")

    with pytest.raises(ProcessLookupError):
        rules.judge(policy(), call("execve", 0x1000), Gone())


def test_what_is_judged_by_its_arguments_cannot_be_rewritten() -> None:
    assert {table.NUMBERS[name] for name in NEVER_REWRITTEN} == rules.SUPERVISED


@pytest.mark.parametrize(("family", "name"), [(metadata.mode, "fchmod"), (metadata.owner, "fchown")])
def test_at_fdcwd_is_no_descriptor(family: Callable[[Emulate, Call, View], Verdict], name: str) -> None:
    """Only calls with a path take it (fs/open.c, ksys_fchmod and ksys_fchown look a descriptor up)."""
    made = call(name, metadata.AT_FDCWD, 0o700)
    assert family(Emulate("confined", "r"), made, View()) == Refuse(errno.EBADF, "r")


def test_times_of_a_null_path_at_the_working_directory_are_a_bad_address() -> None:
    with pytest.raises(OSError) as caught:
        metadata.times(Emulate("confined-times", "r"), call("utimensat", metadata.AT_FDCWD), View())
    assert caught.value.errno == errno.EFAULT
