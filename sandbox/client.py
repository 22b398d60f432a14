"""`sandbox.run`: a run as a function call, in a host program with a life of its own.

The supervisor is a process of its own. Tracing from a thread of the host would leave the run at the mercy
of the host: a SIGCHLD handler with waitpid(-1), as many servers have, would take the tracer's stops.
So the host keeps its children, handlers, signal mask, affinity, umask and descriptors.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO, Any, Literal

from sandbox import isolated
from sandbox.errors import AuditError, InternalError, SetupError, UsageError
from sandbox.outcome import Outcome, Usage
from sandbox.pipes import pipe
from sandbox.policy.load import load
from sandbox.policy.model import Policy
from sandbox.request import WAIVERS, Request, effective

_WORKER = """\
try:
    from sandbox.worker import main
except ImportError as error:
    import json, os
    answer = {{"error": str(isolated.not_loaded(error)), "kind": "SetupError"}}
    os.write({result}, json.dumps(answer).encode())
else:
    main({request}, {result})
"""
_ERRORS = {error.__name__: error for error in (AuditError, InternalError, SetupError, UsageError)}
_File = int | IO[Any] | None


def run(
    args: Sequence[str | os.PathLike[str]],
    *,
    policy: str | os.PathLike[str] | Policy = "default",
    audit: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
    stdin: _File = None,
    input: bytes | None = None,  # noqa: A002  (subprocess.run's name)
    stdout: _File = None,
    stderr: _File = None,
    capture_output: bool = False,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    vfork: str | None = None,
    audit_level: Literal["decisions", "all"] = "decisions",
    waive: Mapping[str, str] | None = None,
    user: str | None = None,
) -> Outcome:
    """Run a program under a policy and wait for its end; it feels like `subprocess.run`.

    `policy` is a shipped name, a file or a loaded Policy. `audit` is a file for the log; `audit_level` "all"
    records every system call. `timeout` is a wall-clock limit in seconds, which ends the run with status
    "limit". `env` is added to the policy's environment. `waive` loosens what its keys name, for the reasons
    that are its values. `user` is who the guest becomes when root starts it. With `capture_output` the
    outcome's `stdout` and `stderr` are bytes.

    Raises PolicyError for a wrong policy, UsageError for wrong arguments, AuditError where the log cannot
    be opened, SetupError where this installation lacks something. Everything about the program itself, also
    that there is none, is told by the outcome.
    """
    if capture_output and (stdout is not None or stderr is not None):
        raise UsageError("capture_output and stdout or stderr exclude each other")
    if input is not None and stdin is not None:
        raise UsageError("input and stdin exclude each other")
    pipe = subprocess.PIPE
    if audit_level not in ("decisions", "all"):
        raise UsageError("audit_level must be 'decisions' or 'all'")
    waivers = tuple(waive or ())
    if unknown := set(waivers) - set(WAIVERS):
        raise UsageError(f"waive: unknown name {min(unknown)!r}; known are {', '.join(WAIVERS)}")
    if any(not reason.strip() for reason in (waive or {}).values()):
        raise UsageError("every waiver needs a reason")
    request = _request(args, policy, timeout, cwd, env, vfork, waivers)._replace(level=audit_level, user=user)
    message = {"request": request, "audit": _path(audit), "environ": dict(os.environ)}
    streams = (
        pipe if input is not None else stdin,
        pipe if capture_output else stdout,
        pipe if capture_output else stderr,
    )
    return _converse(pickle.dumps(message), streams, input)


def _path(value: str | os.PathLike[str] | None) -> str | None:
    return None if value is None else os.fspath(value)


def _request(
    args: Any,
    policy: str | os.PathLike[str] | Policy,
    timeout: float | None,
    cwd: str | os.PathLike[str] | None,
    env: Mapping[str, str] | None,
    vfork: str | None,
    waivers: tuple[str, ...],
) -> Request:
    if isinstance(args, str | bytes) or len(args) == 0:
        raise UsageError("args must be a sequence of strings that names a program")
    argv = tuple(os.fspath(one) for one in args)
    directory = _path(cwd)
    for one in (*argv, *(() if directory is None else (directory,)), *(env or {}), *(env or {}).values()):
        _check_text(one)
    if any(not name or "=" in name for name in env or {}):
        raise UsageError("env: a variable's name is not empty and holds no '='")
    if timeout is not None and not 0 < timeout < 1e9:
        raise UsageError("timeout must be a positive number of seconds")
    if vfork not in (None, "emulate", "kernel"):
        raise UsageError("vfork must be 'emulate' or 'kernel'")
    loaded = policy if isinstance(policy, Policy) else load(os.fspath(policy))
    wall = loaded.limits.wall
    if timeout is not None and wall is not None and timeout > wall and "wall" not in waivers:
        raise UsageError(f"timeout {timeout:g} is above the policy's {wall:g}; waive 'wall' with a reason")
    extra = tuple(f"{name}={value}" for name, value in (env or {}).items())
    return Request(argv, effective(loaded, vfork=vfork, wall=timeout), directory, extra, waivers)


def _check_text(value: object) -> None:
    """Raises UsageError for what cannot be handed to the kernel."""
    try:
        if isinstance(value, str) and "\0" not in value:
            os.fsencode(value)
            return
    except UnicodeEncodeError:
        pass
    raise UsageError("args, cwd and env must be strings without NUL characters or lone surrogates")


def _converse(message: bytes, streams: tuple[_File, _File, _File], data: bytes | None) -> Outcome:
    request_read, request_write = pipe()
    result_read, result_write = pipe()
    try:
        process = _start(request_read, result_write, streams)
    except BaseException:
        os.close(request_write)
        os.close(result_read)
        raise
    finally:
        os.close(request_read)
        os.close(result_write)
    with process:
        try:
            _send(request_write, len(message).to_bytes(8, "little") + message)
            out, err = process.communicate(data)
            answer = _receive(result_read)
        finally:
            os.close(request_write)
            os.close(result_read)
    return _outcome(answer, out, err)


def _start(request: int, result: int, streams: tuple[_File, _File, _File]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        isolated.command(_WORKER.format(request=request, result=result)),
        stdin=streams[0], stdout=streams[1], stderr=streams[2], pass_fds=(request, result),
    )  # fmt: skip


def _send(fd: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        pass  # the supervisor process is gone; its missing answer says so


def _receive(fd: int) -> dict[str, Any]:
    data = b""
    while chunk := os.read(fd, 1 << 16):
        data += chunk
    if not data:
        raise InternalError("the supervisor process ended without an answer; every guest is dead")
    answer: dict[str, Any] = json.loads(data)
    return answer


def _outcome(answer: dict[str, Any], out: bytes | None, err: bytes | None) -> Outcome:
    if "error" in answer:
        raise _ERRORS.get(answer["kind"], InternalError)(answer["error"])
    fields = answer["outcome"]
    fields["usage"] = Usage(**fields["usage"])
    fields["waivers"] = tuple(fields["waivers"])
    return Outcome(**fields, stdout=out, stderr=err)
