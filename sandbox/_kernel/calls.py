"""The typed face of the C core: each function returns a Python value or raises an `OSError` that names
the call. `ProcessLookupError` (ESRCH) means the tracee vanished, which can happen at any moment.

ptrace(2) belongs to the thread that seized: call everything here from that one thread.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple, NoReturn

from sandbox._kernel._core import ffi, lib

NONE, STATUS, SIGNAL, DEADLINE = 0, 1, 2, 3
PTRACE_CONT = 7
PTRACE_SYSCALL = 24
PTRACE_LISTEN = 0x4208

# Offsets in struct user, as PTRACE_POKEUSR takes them, and indices in struct user_regs_struct (sys/user.h).
_REGISTERS = (
    "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi",
    "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
)  # fmt: skip
_INDEX = {name: index for index, name in enumerate(_REGISTERS)}
ARGUMENT_REGISTERS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
AT_SYSINFO_EHDR = 33
PATH_MAX = 4096


class RawEvent(NamedTuple):
    """What the kernel said, unjudged: NONE, STATUS, SIGNAL or DEADLINE, and the facts that go with it."""

    kind: int
    pid: int = 0
    status: int = 0
    error: int = 0
    signo: int = 0
    code: int = 0
    sender: int = 0
    op: int = 0
    arch: int = 0
    message: int = 0
    nr: int = 0
    ip: int = 0
    sp: int = 0
    args: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
    rval: int = 0
    cpu_us: int = 0
    maxrss_kb: int = 0


class Registers(NamedTuple):
    """A stopped tracee's general registers."""

    r15: int
    r14: int
    r13: int
    r12: int
    rbp: int
    rbx: int
    r11: int
    r10: int
    r9: int
    r8: int
    rax: int
    rcx: int
    rdx: int
    rsi: int
    rdi: int
    orig_rax: int
    rip: int
    cs: int
    eflags: int
    rsp: int
    ss: int
    fs_base: int
    gs_base: int
    ds: int
    es: int
    fs: int
    gs: int


class Spec(NamedTuple):
    """What `launch` starts.

    `filter` is the encoded seccomp program, `cwd` the directory to begin in, or -1 to stay, `limits` are
    (resource, soft, hard), `ruleset` a Landlock ruleset or -1, `cgroup` a cgroup.procs to enter if it lets
    the guest, or -1, `isolate` are unshare(2) flags, with a user namespace among them `maps` its uid_map and
    gid_map, `user` is the (uid, gid) to become, `output` what stands in for descriptors 1 and 2, or -1.
    Whoever it is, the guest has no capability.
    """

    path: bytes
    argv: tuple[bytes, ...]
    envp: tuple[bytes, ...]
    filter: bytes
    cwd: int = -1
    limits: tuple[tuple[int, int, int], ...] = ()
    closed: frozenset[int] = frozenset()
    ruleset: int = -1
    cgroup: int = -1
    isolate: int = 0
    maps: tuple[bytes, bytes] | None = None
    user: tuple[int, int] | None = None
    output: tuple[int, int] = (-1, -1)


class LaunchError(OSError):
    """A step between fork and execve failed; `step` names the call. `status` is how the child ended."""

    def __init__(self, step: str, error: int, status: int) -> None:
        super().__init__(error, os.strerror(error) if error else f"wait status {status:#x}")
        self.step = step
        self.status = status


def _fail(result: int, call: str) -> NoReturn:
    raise OSError(-result, f"{call}: {os.strerror(-result)}")


def _check(result: int, call: str) -> int:
    if result < 0:
        _fail(result, call)
    return result


_event = ffi.new("sb_event *")


def _event_now() -> RawEvent:
    e = _event
    if e.kind != STATUS:
        return RawEvent(e.kind, signo=e.signo, code=e.code, sender=e.sender)
    return RawEvent(
        STATUS, e.pid, e.status, e.error, e.signo, e.code, e.sender, e.op, e.arch, e.message, e.nr, e.ip,
        e.sp, tuple(ffi.unpack(e.args, 6)) if e.op else (0, 0, 0, 0, 0, 0), e.rval, e.cpu_us, e.maxrss_kb,
    )  # fmt: skip


def prepare(*, hang_up: bool = False) -> None:
    """Make this process a supervisor: control signals blocked (they are waited for), SIGCHLD default,
    orphans come to us. A signal that was ignored or blocked stays so; with `hang_up`, SIGIO is waited for all
    the same, and is then a SIGHUP to whoever waits. Once is enough. Raises OSError."""
    _check(lib.sb_prepare(hang_up), "sigprocmask")


def control_pending() -> bool:
    """Whether a control signal waits for `wait` to take it."""
    return bool(_check(lib.sb_control_pending(), "sigpending"))


def children() -> set[int]:
    """This thread's children, orphans it inherited among them (proc(5), Linux 3.5); empty where the kernel
    does not tell."""
    try:
        with open("/proc/thread-self/children", "rb", buffering=0) as file:
            return {int(word) for word in file.read(1 << 20).split()}
    except (OSError, ValueError):
        return set()


def protect() -> None:
    """Make this process undumpable, so that no guest of the same user can trace or open it (prctl(2))."""
    _check(lib.sb_protect(), "prctl(PR_SET_DUMPABLE)")


_PROC_SUPER_MAGIC = 0x9FA0


def proc_fault() -> str:
    """Why /proc does not show this process and its children by their ids, with the remedy; '' where it does.

    In a PID namespace with the /proc of an outer one every id there is another's, and with that of an inner
    one we are not there at all. NSpid (proc_pid_status(5), Linux 4.1) has one id for each namespace from
    that of /proc inwards; /proc/self leads to the first of them.
    """
    if lib.sb_file_system(b"/proc") != _PROC_SUPER_MAGIC:
        return "/proc is not mounted: mount -t proc proc /proc"
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:
            _, found, rest = file.read(8192).partition(b"\nNSpid:")
        seen = rest.partition(b"\n")[0].split() if found else [os.fsencode(os.readlink("/proc/self"))]
    except OSError:
        seen = []
    if seen == [b"%d" % os.getpid()]:
        return ""
    return "/proc is another PID namespace's: mount this one's (as unshare -pf --mount-proc does)"


def _vector(items: tuple[bytes, ...], keep: list[Any]) -> Any:
    strings = [ffi.new("char[]", item) for item in items]
    vector = ffi.new("char *[]", [*strings, ffi.NULL])
    keep += [strings, vector]
    return vector


def launch(spec: Spec) -> RawEvent:
    """Start a guest and return the seccomp stop of its first execve, before anything of it ran.

    Between fork and execve only C runs. The filter is installed last, so it needs no rule for set-up.
    Raises `LaunchError` naming the step that failed; the child is then gone.
    """
    keep: list[Any] = []
    limits = ffi.new("sb_limit[]", [tuple(limit) for limit in spec.limits])
    raw = ffi.new("sb_spec *")
    raw.path = path = ffi.new("char[]", spec.path)
    raw.argv = _vector(spec.argv, keep)
    raw.envp = _vector(spec.envp, keep)
    raw.filter = program = ffi.from_buffer(spec.filter)
    raw.filter_length = len(spec.filter) // 8
    raw.closed = sum(1 << fd for fd in spec.closed)
    raw.limits, raw.limit_count = limits, len(spec.limits)
    raw.ruleset, raw.cgroup, raw.isolate = spec.ruleset, spec.cgroup, spec.isolate
    raw.cwd = spec.cwd
    if spec.maps is not None:
        maps = [ffi.new("char[]", one) for one in spec.maps]
        raw.uid_map, raw.gid_map = maps
        keep.append(maps)
    raw.output = list(spec.output)
    if spec.user is not None:
        raw.change_user, raw.uid, raw.gid = 1, *spec.user
    keep += [path, program]
    failure = ffi.new("sb_failure *")
    if lib.sb_launch(raw, failure, _event) < 0:
        raise LaunchError(ffi.string(lib.sb_step_name(failure.step)).decode(), failure.error, failure.status)
    return _event_now()


def wait(deadline_ns: int = -1) -> RawEvent:
    """The next stop or end of a tracee, control signal, or the deadline (CLOCK_MONOTONIC ns, -1 none)."""
    _check(lib.sb_wait(_event, deadline_ns), "wait4")
    return _event_now()


def resume(pid: int, request: int = PTRACE_CONT, signo: int = 0) -> None:
    """Let a stopped tracee go on. Raises ProcessLookupError if it vanished."""
    _check(lib.sb_resume(pid, request, signo), "ptrace(resume)")


def resume_wait(pid: int, request: int, signo: int, deadline_ns: int = -1) -> RawEvent:
    """`resume` and `wait` in one step; a tracee that vanished is told by the event."""
    _check(lib.sb_resume_wait(pid, request, signo, _event, deadline_ns), "ptrace(resume)")
    return _event_now()


def answer(pid: int, value: int) -> None:
    """At a seccomp stop: skip the call, return `value` (signed) from it, and go on."""
    _check(lib.sb_answer(pid, value), "ptrace(PTRACE_POKEUSR)")


def answer_wait(pid: int, value: int, deadline_ns: int = -1) -> RawEvent:
    """`answer` and `wait` in one step."""
    _check(lib.sb_answer_wait(pid, value, _event, deadline_ns), "ptrace(PTRACE_POKEUSR)")
    return _event_now()


def set_register(pid: int, name: str, value: int) -> None:
    """Write one register of a stopped tracee, as an unsigned 64-bit value."""
    _check(lib.sb_poke(pid, _INDEX[name] * 8, value), "ptrace(PTRACE_POKEUSR)")


_registers = ffi.new("uint64_t[27]")


def registers(pid: int) -> Registers:
    """All general registers of a stopped tracee."""
    _check(lib.sb_registers(pid, _registers), "ptrace(PTRACE_GETREGS)")
    return Registers(*ffi.unpack(_registers, 27))


_mask = ffi.new("uint64_t *")


def signal_mask(pid: int) -> int:
    """A stopped tracee's blocked signals: bit n-1 for signal n (PTRACE_GETSIGMASK, Linux 3.11)."""
    _check(lib.sb_get_mask(pid, _mask), "ptrace(PTRACE_GETSIGMASK)")
    mask: int = _mask[0]
    return mask


def set_signal_mask(pid: int, mask: int) -> None:
    """Set a stopped tracee's blocked signals. SIGKILL and SIGSTOP cannot be blocked."""
    _check(lib.sb_set_mask(pid, mask), "ptrace(PTRACE_SETSIGMASK)")


_ADDRESS_LIMIT = 1 << 64


def read(pid: int, address: int, length: int) -> bytes:
    """Exactly `length` bytes of guest memory. Raises OSError EFAULT where it is not all readable."""
    buffer = ffi.new("char[]", length)
    got = lib.sb_read(pid, address % _ADDRESS_LIMIT, buffer, length)
    if got in (-38, -1):  # ENOSYS, EPERM: no process_vm_readv here
        return _peek(pid, address, length)
    if 0 <= got < length:
        got = -14
    _check(got, "process_vm_readv")
    return bytes(ffi.buffer(buffer, length))


def read_string(pid: int, address: int, limit: int = PATH_MAX) -> bytes:
    """The string at `address` without its NUL. Raises OSError EFAULT, or ENAMETOOLONG past `limit` bytes."""
    buffer = ffi.new("char[]", limit)
    got = lib.sb_read_string(pid, address % _ADDRESS_LIMIT, buffer, limit)
    if got in (-38, -1):
        return _peek_string(pid, address, limit)
    _check(got, "process_vm_readv")
    return bytes(ffi.buffer(buffer, got))


def write(pid: int, address: int, data: bytes) -> None:
    """Store bytes in guest memory. Raises OSError EFAULT where it is not all writable by the guest."""
    got = lib.sb_write(pid, address % _ADDRESS_LIMIT, data, len(data))
    if 0 <= got < len(data):
        got = -14
    _check(got, "process_vm_writev")


def _peek_string(pid: int, address: int, limit: int) -> bytes:
    text = b""
    while len(text) < limit:
        chunk = _peek(pid, address + len(text), 8 - (address + len(text)) % 8)
        if b"\0" in chunk:
            return text + chunk.partition(b"\0")[0]
        text += chunk
    raise OSError(36, "ptrace(PTRACE_PEEKDATA): File name too long")


_word = ffi.new("uint64_t *")


def _peek(pid: int, address: int, length: int) -> bytes:
    """Word by word (PTRACE_PEEKDATA), for kernels without process_vm_readv(2) (CONFIG_CROSS_MEMORY_ATTACH
    off, or a container that forbids it)."""
    start, data = address & ~7, b""
    while start + len(data) < address + length:
        got = lib.sb_peek(pid, (start + len(data)) % _ADDRESS_LIMIT, _word)
        _check(-14 if got == -5 else got, "ptrace(PTRACE_PEEKDATA)")
        data += int(_word[0]).to_bytes(8, "little")
    return data[address - start :][:length]


def hide_auxv(pid: int, stack: int, kind: int = AT_SYSINFO_EHDR) -> bool:
    """At EVENT_EXEC: turn the auxiliary vector's entry `kind` into AT_IGNORE. True where there was one."""
    return bool(_check(lib.sb_hide_auxv(pid, stack, kind), "process_vm_writev(auxv)"))


def kill(pid: int, signo: int) -> None:
    """kill(2). Free of races only for a task we trace and have not reaped."""
    _check(lib.sb_kill(pid, signo), "kill")


PUMP_PASSED = 99
PUMP_FAILED = 98


def pump(pairs: list[tuple[int, int]], limit: int) -> int:
    """Start a process that copies from each first descriptor to the second until the end of all, or until
    `limit` bytes in all, when it exits with PUMP_PASSED, or with PUMP_FAILED where it could not begin.
    Returns its pid."""
    sources = ffi.new("int[]", [source for source, _ in pairs])
    targets = ffi.new("int[]", [target for _, target in pairs])
    return _check(lib.sb_pump(sources, targets, len(pairs), limit), "fork")


def trace_exit(pid: int, *, wanted: bool) -> None:
    """Whether a stopped tracee stops once more at its end (PTRACE_O_TRACEEXIT); its children inherit it."""
    _check(lib.sb_trace_exit(pid, int(wanted)), "ptrace(PTRACE_SETOPTIONS)")


def detach(program: str, places: tuple[str, ...]) -> None:
    """Make memory of our own of all code of this process that lies beneath `places`, or that others than root
    can write: what is written to its files then does not reach it any more. `program` is the file that this
    process runs.

    For a process with one thread. Raises OSError.
    """
    paths = [ffi.new("char[]", os.fsencode(place)) for place in places]
    _check(lib.sb_detach(os.fsencode(program), ffi.new("const char *[]", paths), len(paths)), "mremap")


def landlock_abi() -> int:
    """The kernel's Landlock ABI version, 0 where there is none (landlock_create_ruleset(2))."""
    abi: int = lib.sb_landlock_abi()
    return max(abi, 0)


def landlock_ruleset(files: int, network: int, scoped: int) -> int:
    """A new ruleset descriptor that handles these rights."""
    return _check(lib.sb_landlock_ruleset(files, network, scoped), "landlock_create_ruleset")


def landlock_path(ruleset: int, fd: int, rights: int) -> None:
    """Allow `rights` on the file, or beneath the directory, that `fd` names."""
    _check(lib.sb_landlock_path(ruleset, fd, rights), "landlock_add_rule")


def landlock_port(ruleset: int, port: int, rights: int) -> None:
    """Allow `rights` on a TCP port (ABI 4)."""
    _check(lib.sb_landlock_port(ruleset, port, rights), "landlock_add_rule")
