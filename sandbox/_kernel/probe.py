"""Trying what the kernel allows, each time in a child that is gone afterwards: the caller stays as it is.

A probe answers with an errno, 0 where the thing works. Errors are answers; what died gave none.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import resource
import signal
import struct
import time
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from sandbox._kernel import calls
from sandbox._kernel._core import ffi, lib

DIED = -1
"""The errno of a probe whose child died, which is what a filter that kills does to it."""

CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC = 0x1000_0000, 0x4000_0000, 0x0800_0000
NOBODY = 65534

_GIVE_UP = 10  # seconds
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_GET_NO_NEW_PRIVS = 4, 38, 39
_SYS_GETPID, _SYS_GETPPID, _SYS_SECCOMP = 39, 110, 317
_SYS_CLOSE_RANGE, _SYS_LANDLOCK_RESTRICT_SELF = 436, 446
_X32 = 0x4000_0000
_PTRACE_EVENT_EXEC, _SYSCALL_EXIT = 4, 2
_ANSWER = 77

# struct sock_filter: code, jt, jf, k. One filter answers getppid and lets all else run, one asks the tracer.
_INSNS = ((0x20, 0, 0, 0), (0x15, 0, 1, _SYS_GETPPID), (6, 0, 0, 0x5_0000 | _ANSWER), (6, 0, 0, 0x7FFF_0000))
_ONE_ANSWER = b"".join(struct.pack("<HBBI", *insn) for insn in _INSNS)
_TRACE_ALL = struct.pack("<HBBI", 6, 0, 0, 0x7FF0_0000)


class Answer(NamedTuple):
    """What a child said (None where it said nothing) and the signal it died of, or 0."""

    value: Any
    signal: int = 0


class Traced(NamedTuple):
    """How starting a guest went: the step that failed, or '', and its errno; then, the errno of each request
    to the stopped guest."""

    step: str = ""
    errno: int = 0
    syscall_info: int = 0
    read: int = 0
    write: int = 0


class Namespaces(NamedTuple):
    """The errno of making a user namespace, and of making namespaces for network and System V IPC (of an
    ordinary user: together with a user namespace, and mapping that)."""

    user: int
    network: int


def in_child(function: Callable[[], Any]) -> Answer:
    """What `function` returns, as JSON brings it back, called in a child of this process.

    The child, and every guest that it traces, is gone on return; it is given ten seconds. An OSError from
    `function` is its errno as the value. Raises OSError where no child can be made.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.fork()
        if pid == 0:
            _speak(function, writer)
    finally:
        os.close(writer)
    with open(reader, "rb") as answer:
        text = answer.read()
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:  # whoever started us ignores SIGCHLD
        code = 0
    return Answer(json.loads(text) if text else None, max(-code, 0))


def _speak(function: Callable[[], Any], writer: int) -> NoReturn:
    try:
        for signo in (signal.SIGCHLD, signal.SIGSEGV, signal.SIGSYS, signal.SIGALRM):
            signal.signal(signo, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        signal.alarm(_GIVE_UP)
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        # 1 stops pipes as well (see launch/program.py); a guest that is tried here wants the hard limit.
        resource.setrlimit(resource.RLIMIT_CORE, (1 if hard else 0, hard))
        try:
            value = function()
        except OSError as error:
            value = error.errno
        os.write(writer, json.dumps(value).encode())
    finally:
        os._exit(0)


def _errno(function: Callable[[], Any]) -> int:
    """The errno a function ends with in a child, 0 where it raises nothing."""

    def tried() -> int:
        function()
        return 0

    value = in_child(tried).value
    return value if isinstance(value, int) else DIED


_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _syscall(nr: int, *args: int) -> int:
    """A system call by number. Raises OSError."""
    got: int = _libc.syscall(ctypes.c_long(nr), *map(ctypes.c_long, args))
    if got == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got


def _prctl(option: int, value: int = 0) -> int:
    got: int = _libc.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0)))
    if got == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got


# ---- what a run needs ----


def traced() -> Traced:
    """Start a guest as a run does, up to its first execve, which is never made, and look into it."""
    answer = in_child(_trace)
    return Traced(*answer.value) if isinstance(answer.value, list) else Traced("the probe", DIED)


def _trace() -> Traced:
    try:
        event = calls.launch(calls.Spec(path=b"/", argv=(b"/",), envp=(), filter=_TRACE_ALL))
    except calls.LaunchError as error:
        return Traced(error.step, error.errno or DIED)
    address = calls.registers(event.pid).rdi
    data = ffi.new("char[]", 2)
    read, wrote = lib.sb_read(event.pid, address, data, 2), lib.sb_write(event.pid, address, data, 2)
    return Traced("", 0, event.error, max(-read, 0), max(-wrote, 0))


def no_new_privs() -> int:
    """prctl(PR_SET_NO_NEW_PRIVS)."""

    def tried() -> None:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if _prctl(_PR_GET_NO_NEW_PRIVS) != 1:
            raise OSError(22, "it does not stay on")

    return _errno(tried)


def seccomp() -> int:
    """Installing a filter, and its being obeyed (seccomp(2))."""

    def tried() -> None:
        program = ctypes.create_string_buffer(_ONE_ANSWER, len(_ONE_ANSWER))
        header = ctypes.create_string_buffer(
            struct.pack("<HxxxxxxQ", len(_ONE_ANSWER) // 8, ctypes.addressof(program))
        )
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _syscall(_SYS_SECCOMP, 1, 0, ctypes.addressof(header))
        try:
            _syscall(_SYS_GETPPID)
        except OSError as error:
            if error.errno == _ANSWER:
                return
        raise OSError(22, "a filter is not obeyed")

    return _errno(tried)


def become_nobody() -> int:
    """Taking an unprivileged user's ids, without groups."""

    def tried() -> None:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)

    return _errno(tried)


def restrict(ruleset: int) -> int:
    """Putting on a Landlock ruleset."""

    def tried() -> None:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _syscall(_SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0)

    return _errno(tried)


def landlock() -> int:
    """The Landlock ABI, or a negative errno: ENOSYS where it is not built in, EOPNOTSUPP where it is off."""
    abi: int = lib.sb_landlock_abi()
    return abi


# ---- what is good to have, or to know ----


def close_range() -> int:
    """close_range(2) with CLOSE_RANGE_CLOEXEC."""
    return _errno(lambda: _syscall(_SYS_CLOSE_RANGE, 1 << 30, 1 << 30, 4))


def pidfd_open() -> int:
    """pidfd_open(2)."""
    return _errno(lambda: os.pidfd_open(os.getpid()))


def namespaces(maps: tuple[bytes, bytes] | None) -> Namespaces:
    """unshare(2), as a run does it; `maps` are those of a user namespace, None where the run makes none."""

    def unshare(flags: int) -> None:
        if _libc.unshare(flags) != 0:
            raise OSError(ctypes.get_errno(), "unshare")

    def isolated() -> None:
        unshare(CLONE_NEWNET | CLONE_NEWIPC | (CLONE_NEWUSER if maps else 0))
        texts = (b"deny", *maps) if maps else ()
        for name, text in zip(("setgroups", "uid_map", "gid_map"), texts, strict=False):
            with open(f"/proc/self/{name}", "wb", buffering=0) as file:
                file.write(text)

    return Namespaces(_errno(lambda: unshare(CLONE_NEWUSER)), _errno(isolated))


# mov eax, 20 (getpid of the i386 table); int 0x80; ret
_INT80 = bytes.fromhex("b814000000 cd80 c3".replace(" ", ""))


def ia32() -> bool | None:
    """Whether `int 0x80` makes an i386 system call; None where that cannot be tried."""

    def tried() -> bool | None:
        _prctl(_PR_SET_DUMPABLE, 0)  # no core dump, not by a pipe either
        try:
            memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        except OSError:
            return None
        memory.write(_INT80)
        code = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        return bool(ctypes.CFUNCTYPE(ctypes.c_int)(code)() == os.getpid())

    answer = in_child(tried)
    if answer.signal in (signal.SIGSEGV, signal.SIGSYS):
        return False
    return answer.value if isinstance(answer.value, bool) else None


def x32() -> bool | None:
    """Whether a system call with an x32 number runs; None where that cannot be tried."""
    answer = in_child(lambda: _syscall(_X32 | _SYS_GETPID) == os.getpid())
    return None if answer.value is None and not answer.signal else answer.value is True


# ---- a run's guest, up to its first instruction ----


def first_execve(pid: int) -> int:
    """Let a guest at its launch stop make its execve: 0, or the errno it fails with; DIED where it is gone.

    The guest then stands before the first instruction of the program, and ends with this process.
    """
    calls.prepare()
    deadline = time.monotonic_ns() + _GIVE_UP * 10**9
    event = calls.resume_wait(pid, calls.PTRACE_SYSCALL, 0, deadline)
    while event.kind == calls.STATUS:
        if event.status & 0xFF != 0x7F:
            return DIED
        if event.status >> 16 == _PTRACE_EVENT_EXEC:
            return 0
        if event.op == _SYSCALL_EXIT:
            return -event.rval
        event = calls.resume_wait(event.pid, calls.PTRACE_SYSCALL, 0, deadline)
    return DIED
