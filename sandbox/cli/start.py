"""The console scripts: a command loads its modules first, and Ctrl-C meanwhile ends it without a word."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


def run_untrusted_binary() -> int:
    """The program `run-untrusted-binary`."""
    with _silent():
        from sandbox.cli.run import main
    return main()


def sandboxctl() -> int:
    """The program `sandboxctl`."""
    with _silent():
        from sandbox.cli.ctl import main
    return main()


@contextmanager
def _silent() -> Iterator[None]:
    """Die of SIGINT as a program without a handler does; where it is ignored, it stays so."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, handler)
