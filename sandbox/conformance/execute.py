"""Starting the prober's processes, and ending them whatever becomes of us."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple, NoReturn

from sandbox import isolated
from sandbox.errors import SetupError
from sandbox.pipes import pipe

CONTROLS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""What asks a command to end: a person at a terminal, a service manager, the terminal itself."""
_GRACE = 2.0  # seconds the supervisor may take to end its guests and to tidy up
# A guest rightly inherits what its caller ignores or blocks, but rows say what happens under the defaults.
# Of SIGINT, Python has a default of its own.
_RESET = """\
import os, signal, sys
for one in signal.valid_signals() - {{signal.SIGINT, signal.SIGKILL, signal.SIGSTOP}}:
    signal.signal(one, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.{interrupt})
signal.pthread_sigmask(signal.SIG_SETMASK, ())
"""
_NATIVE_COMMAND = _RESET.format(interrupt="SIG_DFL") + "os.execv(sys.argv[1], sys.argv[1:])"
# The supervisor holds the reading end of a pipe whose other end is ours alone. When that closes, because we
# are gone, the kernel sends SIGKILL (fcntl(2): F_SETSIG, 10), and no guest outlives its supervisor.
_COMMAND = (
    _RESET.format(interrupt="default_int_handler")
    + """\
import fcntl, os, signal, sys
fd = int(sys.argv.pop(1))
os.set_inheritable(fd, False)
fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
fcntl.fcntl(fd, 10, 9)
fcntl.fcntl(fd, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
try:
    os.read(fd, 1)
except BlockingIOError:
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    from sandbox.cli.start import run_untrusted_binary
    sys.exit(run_untrusted_binary())
"""
)


class InterruptedRunError(BaseException):
    """A signal asked us to end. `signo` is its number; a shell's status for it is 128 + `signo`."""

    def __init__(self, signo: int) -> None:
        super().__init__(signo)
        self.signo = signo


class Ended(NamedTuple):
    """Exit status (negative: a signal's number; None: it had to be killed), standard output and error."""

    status: int | None
    out: bytes
    err: bytes


@contextmanager
def interruptible() -> Iterator[None]:
    """Within it, the first control signal raises InterruptedRunError, and later ones wait until all is tidy.

    For a main thread. Signals that the caller ignores stay ignored, but for SIGCHLD: nobody could tell how a
    child ended.
    """

    def raised(signo: int, frame: FrameType | None) -> NoReturn:
        for one in before:
            signal.signal(one, signal.SIG_IGN)
        raise InterruptedRunError(signo)

    before = {one: signal.getsignal(one) for one in CONTROLS if signal.getsignal(one) != signal.SIG_IGN}
    before_child = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        for one in before:
            signal.signal(one, raised)
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        signal.signal(signal.SIGCHLD, before_child)


def natively(words: Sequence[str], data: bytes, seconds: float, cwd: str) -> Ended:
    """Run a program on `data`, with all it starts in its session killed in the end. Raises SetupError."""
    if not os.access(words[0], os.X_OK):
        raise SetupError(f"cannot run the prober: {words[0]} cannot be executed")
    with _started([isolated.interpreter(), "-I", "-S", "-c", _NATIVE_COMMAND, *words], cwd, ()) as process:
        try:
            return _talk(process, data, seconds)
        finally:
            _kill_group(process)


def supervised(
    words: Sequence[str], data: bytes, seconds: float, cwd: str, kept: Sequence[int] = ()
) -> Ended:
    """Run run-untrusted-binary with these words; it does not outlive us, and inherits the descriptors `kept`.

    Raises SetupError.
    """
    reader, writer = pipe()
    try:
        command = isolated.command(_COMMAND, str(reader), *words)
        with _started(command, cwd, (reader, *kept)) as process:
            try:
                return _talk(process, data, seconds)
            finally:
                _end(process)
    finally:
        os.close(reader)
        os.close(writer)


def _started(words: Sequence[str], cwd: str, kept: Sequence[int]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words, cwd=cwd, start_new_session=True, pass_fds=kept,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:
        raise SetupError(f"cannot run the prober: {error}") from error


def _talk(process: subprocess.Popen[bytes], data: bytes, seconds: float) -> Ended:
    try:
        out, err = process.communicate(data, seconds)
        return Ended(process.returncode, out, err)
    except subprocess.TimeoutExpired:
        _kill_group(process)
        out, err = process.communicate()
        return Ended(None, out, err)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a supervisor: two control signals end it at once, and it tidies up."""
    if process.poll() is not None:
        return
    for one in (signal.SIGTERM, signal.SIGHUP):
        process.send_signal(one)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        pass
    _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
