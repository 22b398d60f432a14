"""Calls with paths that the kernel refuses: noted when they begin, recorded when they come back so.

What the path was is read at the beginning, once. Where it leads is looked for only after a refusal, so that a
call that succeeds costs no look.
"""

from __future__ import annotations

import contextlib

from sandbox.outcome import Allow, Rewrite
from sandbox.rules import files
from sandbox.supervisor import images
from sandbox.supervisor.recorder import Recorder
from sandbox.supervisor.tracee import PathCall, Strings, Task
from sandbox.supervisor.view import StopView
from sandbox.syscalls.call import Call
from sandbox.syscalls.table import arguments

_STRINGS = {
    nr: tuple(index for index, arg in enumerate(arguments(nr)) if arg.kind in ("path", "str"))
    for nr in files.CALLS
}


class PathRefusals:
    """`places`: what `[files]` allows, by right; `scratch`: the run's own directory."""

    def __init__(self, recorder: Recorder, places: dict[files.Right, tuple[str, ...]], scratch: str) -> None:
        self._recorder = recorder
        self._places = places
        self._scratch = scratch
        self.calls = files.CALLS if places and recorder.active else frozenset[int]()

    def note(self, task: Task, call: Call, verdict: Allow | Rewrite, view: StopView) -> None:
        """A call with paths is about to run."""
        for index in _STRINGS[call.nr]:
            with contextlib.suppress(ProcessLookupError):
                view.try_string(call.args[index])
        task.path_call = PathCall(call, verdict, view.strings)

    def returned(self, task: Task, noted: PathCall, rval: int, view: StopView) -> None:
        """It came back. Every refusal has its record, whatever its path was exchanged for meanwhile."""
        if rval not in files.LANDLOCK_ERRORS:
            return
        found = files.refused(_as_run(noted), self._places, view.find, self._scratch)
        fields = self._recorder.fields(task, noted.call, noted.verdict, _remembered(noted.strings))
        self._recorder.path_refused(fields, found, rval)


def _as_run(noted: PathCall) -> Call:
    """The call that the kernel was given: a rewritten one may have wanted less of its path."""
    if not isinstance(noted.verdict, Rewrite):
        return noted.call
    a = dict(enumerate(noted.call.args)) | dict(noted.verdict.args)
    return noted.call._replace(args=(a[0], a[1], a[2], a[3], a[4], a[5]))


def _remembered(strings: Strings) -> images.Reader:
    def read(address: int) -> str | None:
        found = strings.get(address)
        return images.shown(found) if isinstance(found, bytes) else None

    return read
