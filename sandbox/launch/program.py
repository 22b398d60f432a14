"""From a program name and a policy to what the kernel needs to start the guest."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sandbox import elf
from sandbox._kernel import behalf, calls
from sandbox.errors import NotFoundError, NotRunnableError, SetupError, UsageError
from sandbox.launch import namespaces
from sandbox.launch.places import found_at
from sandbox.outcome import Decision, Refuse, Return
from sandbox.policy.model import Environment, Policy, RewriteSpec
from sandbox.rules.files import covered
from sandbox.rules.options import option
from sandbox.syscalls import table

RLIMIT_FSIZE, RLIMIT_CORE, RLIMIT_NOFILE = 1, 4, 7
DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


class Program(NamedTuple):
    """A runnable program: the path to exec, its checked and still open file, and where that file was found
    and which it is."""

    path: str
    fd: int
    found: str
    identity: tuple[int, int]


def find(name: str, search: str) -> str:
    """The path a shell would run for `name`. Raises NotFoundError."""
    if "/" in name:
        return name
    for directory in search.split(":") if name else ():
        candidate = os.path.join(directory or ".", name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise NotFoundError(f"{name or '(empty name)'}: no such program in PATH")


def open_program(name: str, search: str) -> Program:
    """Find, open and check a program. Raises NotFoundError, or NotRunnableError with the reason."""
    path = find(name, search)
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise NotFoundError(f"{path}: {error.strerror}") from None
        raise NotRunnableError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise NotFoundError("a program name cannot hold a NUL byte") from None
    try:
        fd = _open_to_read(place, path)
    finally:
        os.close(place)
    try:
        elf.check_runnable(fd, path)
        facts = os.fstat(fd)
        return Program(path, fd, found_at(fd), (facts.st_dev, facts.st_ino))
    except BaseException:
        os.close(fd)
        raise


def _open_to_read(place: int, path: str) -> int:
    """The file of an O_PATH descriptor, opened. Only then is it certain that it is a regular one: opening a
    FIFO or a device does something. Raises NotRunnableError."""
    mode = os.fstat(place).st_mode
    if not stat.S_ISREG(mode):
        raise NotRunnableError(f"{path}: {'is a directory' if stat.S_ISDIR(mode) else 'not a regular file'}")
    if not os.access(f"/proc/self/fd/{place}", os.X_OK, effective_ids=True):
        raise NotRunnableError(f"{path}: no permission to execute it")
    try:
        return behalf.reopen(place)
    except OSError as error:
        raise NotRunnableError(f"{path}: {error.strerror}") from None


def exec_path(program: Program, *, moves: bool) -> str:
    """The path that the guest executes; an absolute one if it begins in another directory (`moves`).
    Raises UsageError if there is none, since the directory we are in was removed.

    It is a name, so that the program is called by it (AT_EXECFN, comm). What the kernel has found by it is
    compared with the file that was opened, before the first instruction.
    """
    if not moves or program.path.startswith("/"):
        return program.path
    try:
        return os.path.join(os.getcwd(), program.path)
    except OSError:
        raise UsageError(f"{program.path}: the directory it starts from is there no more") from None


def exec_failure(program: Program, error: int, places: tuple[str, ...] | None, *, other_user: bool) -> str:
    """Why the first execve failed with this errno. `places` may be executed (None: any); `other_user`: the
    guest is another user than the caller."""
    interpreter = elf.interpreter(program.fd)
    if error == errno.ENOENT:
        return f"{program.path}: its interpreter {interpreter or ''} does not exist"
    why = ""
    if error == errno.EACCES:
        why = _why_no_access(program.found, interpreter, places)
        if not why and other_user:
            why = "; the guest is another user than you (see --user)"
    return f"{program.path}: execve: {os.strerror(error)}{why}"


def _why_no_access(path: str, interpreter: str | None, places: tuple[str, ...] | None) -> str:
    if places is not None and not covered(path, places):
        return f"; the policy does not let it be executed (see {option('exec', path)})"
    if interpreter is None:
        return ""
    real = os.path.realpath(interpreter)
    if not os.path.isfile(real) or not os.access(real, os.X_OK):
        return f"; its interpreter {interpreter} cannot be executed"
    if places is not None and not covered(real, places):
        return f"; the policy does not let its interpreter be executed (see {option('exec', real)})"
    return ""


def _kept(name: str, patterns: Iterable[str]) -> bool:
    return any(name == one or (one.endswith("*") and name.startswith(one[:-1])) for one in patterns)


def environment(rules: Environment, extra: Iterable[str], outer: Mapping[str, str]) -> dict[str, str]:
    """The guest's whole environment: what the policy keeps and sets, then `extra` (NAME or NAME=VALUE).

    Raises UsageError for an entry without a name.
    """
    result = {name: value for name, value in outer.items() if _kept(name, rules.keep)}
    result.update(rules.set)
    for entry in extra:
        name, given, value = entry.partition("=")
        if not name or "\0" in entry:
            raise UsageError(f"--env {entry!r}: a variable needs a name")
        if given:
            result[name] = value
        elif name in outer:
            result[name] = outer[name]
    return result


# 1 and not 0: for a pipe in core_pattern the limit does not count (core(5)), but at exactly 1 the kernel
# starts no helper: so it keeps helpers that crash from dumping in turn (fs/coredump.c). For a file both are
# too little.
_CORE = (RLIMIT_CORE, 1)


def core_limit() -> int:
    """The RLIMIT_CORE of guests, in bytes: 1, or 0 where our own hard limit is."""
    return next(value for _, value in _capped([_CORE]))


def limits(policy: Policy) -> tuple[tuple[int, int, int], ...]:
    """Kernel limits as (resource, soft, hard), never above what this process may set (setrlimit(2))."""
    wanted = [_CORE]
    if policy.limits.file_size is not None:
        wanted.append((RLIMIT_FSIZE, policy.limits.file_size))
    if policy.limits.open_files is not None:
        wanted.append((RLIMIT_NOFILE, policy.limits.open_files))
    return tuple((resource, value, value) for resource, value in _capped(wanted))


def _capped(wanted: list[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    from resource import RLIM_INFINITY, getrlimit

    for which, value in wanted:
        hard = getrlimit(which)[1]
        yield which, value if hard == RLIM_INFINITY else min(value, hard)


def startable(policy: Policy) -> Policy:
    """The policy with every answer to execve given by the supervisor, none by the filter alone: the filter
    is on already when the guest's own first execve is made, which no rule of the policy is about."""
    execve = table.NUMBERS["execve"]
    calls_ = {nr: _recorded(action) if nr == execve else action for nr, action in policy.calls.items()}
    own = tuple(
        rule if isinstance(rule.action, RewriteSpec) else rule._replace(action=_recorded(rule.action))
        for rule in policy.rules.get(execve, ())
    )
    return policy._replace(calls=calls_, rules={**policy.rules, execve: own} if own else policy.rules)


def _recorded(action: Decision) -> Decision:
    return action._replace(recorded=True) if isinstance(action, Refuse | Return) else action


class Started(NamedTuple):
    """A guest at the seccomp stop of its first execve, and why it is without its namespaces, or ''."""

    event: calls.RawEvent
    lacks: str = ""


def start(spec: calls.Spec) -> Started:
    """Start the guest, without namespaces where an ordinary user gets none. Raises SetupError by step."""
    try:
        started = _launch(spec)
    except calls.LaunchError as error:
        if signo := error.status & 0x7F:
            died = SetupError(f"the guest died of signal {signo} before it began")
            died.exit_code = 128 + signo
            raise died from None
        raise SetupError(f"cannot start the guest: {error.step}: {error.strerror}{_remedy(error)}") from None
    event = started.event
    if event.error:
        calls.kill(event.pid, 9)
        raise SetupError(f"PTRACE_GET_SYSCALL_INFO: {os.strerror(event.error)}; it needs Linux 5.3 or later")
    return started


def _launch(spec: calls.Spec) -> Started:
    try:
        return Started(calls.launch(spec))
    except calls.LaunchError as error:
        # Nobody leaves a user namespace again, and one that is not mapped is no place for a guest.
        lacks = namespaces.refusal(error) if spec.isolate & namespaces.USER else ""
        if not lacks:
            raise
    return Started(calls.launch(spec._replace(isolate=0, maps=None)), lacks)


def _remedy(error: calls.LaunchError) -> str:
    if "PTRACE" in error.step and error.errno == errno.EPERM:
        return " (is kernel.yama.ptrace_scope 2 or 3, or does a container forbid ptrace?)"
    if "seccomp" in error.step and error.errno in (errno.ENOSYS, errno.EINVAL):
        return " (the kernel needs CONFIG_SECCOMP_FILTER)"
    return ""
