"""`--dry-run`: what a run would have, on standard output, and the status it would be refused with."""

from __future__ import annotations

import os

from sandbox.doctor.plan import plan
from sandbox.errors import SandboxError
from sandbox.launch.places import Places
from sandbox.request import Request


def show(request: Request, places: Places, *, logged: bool) -> int:
    """Print the plan; 0 where the run would begin. Raises what the run would be refused with."""
    found = plan(request, places, os.environ, logged=logged)
    data = "".join(f"{line}\n" for line in found.lines).encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError as error:
        raise SandboxError(f"cannot write: {error.strerror}") from None
    if found.refusal is not None:
        raise found.refusal
    return 0
