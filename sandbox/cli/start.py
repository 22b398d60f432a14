"""The two programs: a command loads its modules first, and Ctrl-C meanwhile ends it without a word."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sandbox import isolated


def run_untrusted_binary() -> int:
    """The program `run-untrusted-binary`."""
    try:
        with _silent():
            from sandbox.cli.run import main
        return main()
    except ImportError as error:
        return _failed("run-untrusted-binary", error, 125)


def sandboxctl() -> int:
    """The program `sandboxctl`."""
    try:
        with _silent():
            from sandbox.cli.ctl import main
        return main()
    except ImportError as error:
        return _failed("sandboxctl", error, 2)


PROGRAMS: dict[str, Callable[[], int]] = {
    "run-untrusted-binary": run_untrusted_binary,
    "sandboxctl": sandboxctl,
}
"""What the launcher may ask for."""


def _failed(program: str, error: ImportError, status: int) -> int:
    os.write(2, f"{program}: {isolated.not_loaded(error)}\n".encode("utf-8", "backslashreplace"))
    return status


@contextmanager
def _silent() -> Iterator[None]:
    """Die of SIGINT as a program without a handler does; where it is ignored, it stays so."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, handler)
