"""The supervisor process that `sandbox.run` starts: takes one pickled request, gives back one outcome.

The request pipe stays open as long as the host wants the run: when the host dies or gives up, its end
closes, the kernel sends us SIGIO (fcntl(2), F_SETSIG), and the guest is ended as at a hang-up.
"""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import signal
from typing import Any

from sandbox._kernel import calls
from sandbox.audit.sinks import find_log, open_sink
from sandbox.audit.writer import AuditLog
from sandbox.errors import SandboxError, SetupError
from sandbox.request import Request, check_guest, check_places, missing_stdio
from sandbox.runner import Result, setup_error, supervise

_F_SETSIG = 10


def _receive(fd: int) -> dict[str, Any]:
    length = int.from_bytes(_exactly(fd, 8), "little")
    message: dict[str, Any] = pickle.loads(_exactly(fd, length))  # from our own parent, by an own pipe
    return message


def _exactly(fd: int, length: int) -> bytes:
    data = b""
    while len(data) < length:
        chunk = os.read(fd, length - len(data))
        if not chunk:
            os._exit(125)
        data += chunk
    return data


def _hang_up_with(fd: int) -> None:
    calls.prepare(hang_up=True)
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(fd, _F_SETSIG, int(signal.SIGIO))
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        if os.read(fd, 1) == b"":
            os._exit(125)
    except BlockingIOError:
        pass


def _serve(request: Request, message: dict[str, Any]) -> dict[str, Any]:
    audit: str | None = message["audit"]
    log = None if audit is None else find_log(audit)
    try:
        places = request.places()
    except SetupError as error:
        return {"outcome": setup_error(error).as_dict(), "hint": ""}
    with places:
        check_places(request, places, log)
        check_guest(request, places)
        sinks = [] if audit is None else [open_sink(audit, log)]
        result: Result = supervise(request, places, AuditLog(sinks), message["environ"])
    return {"outcome": result.outcome.as_dict(), "hint": result.hint}


def main(request_fd: int, result_fd: int) -> None:
    """Serve one run; the result goes to `result_fd` as JSON."""
    missing = missing_stdio()
    message = _receive(request_fd)
    _hang_up_with(request_fd)
    request: Request = message["request"]
    try:
        answer = _serve(request._replace(closed=missing), message)
    except SandboxError as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    except Exception as error:
        answer = {"error": f"supervisor failed: {type(error).__name__}: {error}", "kind": "InternalError"}
    data = json.dumps(answer).encode()
    try:
        while data:
            data = data[os.write(result_fd, data) :]
    except OSError:
        pass  # the host is gone, or gave up
    os._exit(0)
