"""Interactive programs in a terminal: a pseudo-terminal whose foreground job is the supervisor.

A guest has the terminal where one of its standard streams is that terminal, and has none elsewhere.
"""

from __future__ import annotations

import os
import pty
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from sandbox.syscalls.table import NUMBERS
from tests.integration.conftest import HANG, INSTALL, command

# One that any user may run: a guest of root's is nobody.
SHARED = ("/usr/bin/python3", "/usr/local/bin/python3")
PYTHON = next((path for path in SHARED if os.path.exists(path)), sys.executable)
CLOSED = -1


class Terminal:
    """A session on a new pseudo-terminal running one command, driven by expect and send.

    `streams` are descriptors that stand in for its standard ones; `source` is what is read here then.
    """

    def __init__(
        self, words: list[str], streams: Mapping[int, int] | None = None, source: int | None = None
    ) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for one in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
                signal.signal(one, signal.SIG_DFL)  # a job in the background would ignore SIGINT
            for fd, stand_in in (streams or {}).items():
                os.close(fd) if stand_in == CLOSED else os.dup2(stand_in, fd)
            os.execv(words[0], words)
        for stand_in in set((streams or {}).values()) - {CLOSED}:
            os.close(stand_in)
        self.source = self.fd if source is None else source
        self.seen = b""

    def expect(self, text: bytes) -> bytes:
        """Read until `text` was printed since the last expect; what came before it."""
        while text not in self.seen:
            try:
                chunk = os.read(self.source, 4096)
            except OSError:
                chunk = b""
            assert chunk, f"{text!r} did not come; seen: {self.seen!r}"
            self.seen += chunk
        before, _, self.seen = self.seen.partition(text)
        return before

    def send(self, text: bytes) -> None:
        os.write(self.fd, text)

    def status(self) -> int:
        """Exit status as a shell reports it."""
        try:
            while chunk := os.read(self.source, 4096):
                self.seen += chunk
        except OSError:
            pass
        os.close(self.fd)
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code


def interactive(*program: str) -> Terminal:
    return Terminal(command("--", *program))


def redirected(
    *program: str, inside: tuple[str, ...] = (), options: tuple[str, ...] = (), kept: tuple[int, ...] = ()
) -> Terminal:
    """As `</dev/null 2>&1 | cat` starts a program, but for the streams `kept`, which are the terminal."""
    source, out = os.pipe()
    null = os.open(os.devnull, os.O_RDONLY)
    streams = {fd: other for fd, other in ((0, null), (1, out), (2, out)) if fd not in kept}
    return Terminal([*inside, *command(*options, "--", *program)], streams, source)


def test_cat_echoes_lines_until_end_of_file() -> None:
    terminal = interactive("/bin/cat")
    for line in (b"one\n", b"two\n"):
        terminal.send(line)
        terminal.expect(line.strip())  # the terminal's echo
        terminal.expect(line.strip())  # cat's
    terminal.send(b"\x04")
    assert terminal.status() == 0


def test_a_repl_works() -> None:
    terminal = interactive(PYTHON, "-I", "-q")
    terminal.expect(b">>> ")
    terminal.send(b"6*7\n")
    terminal.expect(b"42")
    terminal.expect(b">>> ")
    terminal.send(b"import sys; sys.exit(4)\n")
    assert terminal.status() == 4


COUNTS_INTERRUPTS = """
import os, signal
count = 0
def handler(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, handler)
arrived, wakeup = os.pipe()
os.set_blocking(wakeup, False)
signal.set_wakeup_fd(wakeup)
os.write(1, b"ready")
os.read(arrived, 1)
os.write(1, b"count %d" % count)
"""


def test_interrupt_from_the_terminal_arrives_once() -> None:
    terminal = interactive(PYTHON, "-I", "-S", "-c", COUNTS_INTERRUPTS)
    terminal.expect(b"ready")
    terminal.send(b"\x03")
    terminal.expect(b"count 1")
    assert terminal.status() == 0


def test_interrupt_ends_a_program_that_does_not_handle_it() -> None:
    terminal = interactive("/bin/cat")
    terminal.send(b"x\n")
    terminal.expect(b"x\r\nx")
    terminal.send(b"\x03")
    assert terminal.status() == 130


def test_a_program_reads_the_window_size() -> None:
    code = "import os; os.write(1, b'size %d %d' % os.get_terminal_size(0))"
    terminal = interactive(PYTHON, "-I", "-S", "-c", code)
    terminal.expect(b"size ")
    assert terminal.status() == 0


LOOKS_FOR_A_TERMINAL = """
import errno, os
try:
    os.open("/dev/tty", os.O_RDWR)
    found = "there"
except OSError as error:
    found = errno.errorcode[error.errno]
with open("/proc/self/stat") as file:
    number = file.read().rpartition(")")[2].split()[4]
text = b"tty %s %s%s," % (found.encode(), number.encode(), b" leads" * (os.getsid(0) == os.getpid()))
for fd in (0, 1, 2):
    try:
        os.write(fd, text)
    except OSError:
        pass
"""
LOOK = (PYTHON, "-I", "-S", "-c", LOOKS_FOR_A_TERMINAL)
NONE = b"tty ENXIO 0,"


def test_a_guest_that_is_not_given_the_terminal_has_none() -> None:
    terminal = redirected(*LOOK)
    terminal.expect(NONE)
    assert terminal.status() == 0


@pytest.mark.parametrize("kept", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_guest_that_is_given_the_terminal_keeps_it(kept: tuple[int, ...]) -> None:
    terminal = redirected(*LOOK, kept=kept)
    if len(kept) == 3:
        terminal.source = terminal.fd
    terminal.expect(b"tty there ")
    assert terminal.status() == 0


def test_streams_that_are_closed_are_no_terminal() -> None:
    source, out = os.pipe()
    terminal = Terminal(command("--", *LOOK), {0: CLOSED, 1: out, 2: CLOSED}, source)
    terminal.expect(NONE)
    assert terminal.status() == 0


def test_pipes_for_counted_output_are_no_terminal() -> None:
    terminal = redirected(*LOOK, options=("--output", "1MiB"))
    terminal.expect(NONE)
    assert terminal.status() == 0


def test_another_terminal_is_not_the_session_s() -> None:
    """What was given is that one alone."""
    controller, other = os.openpty()
    terminal = Terminal(command("--", *LOOK), dict.fromkeys((0, 1, 2), other), controller)
    terminal.expect(NONE)
    assert terminal.status() == 0
    os.close(controller)


# Answers EPERM for the calls of argv[1], "ioctl" standing for TIOCNOTTY, then becomes argv[2:].
REFUSING = (
    f"""
import sys
insns = [(0x20, 0, 0, 0)]
if "ioctl" in sys.argv[1]:
    insns += [(0x15, 0, 3, {NUMBERS["ioctl"]}), (0x20, 0, 0, 24), (0x15, 0, 1, 0x5422), (6, 0, 0, 0x50001)]
    insns += [(0x20, 0, 0, 0)]
if "setsid" in sys.argv[1]:
    insns += [(0x15, 0, 1, {NUMBERS["setsid"]}), (6, 0, 0, 0x50001)]
"""
    + INSTALL
)


def refusing(*calls: str) -> tuple[str, ...]:
    return sys.executable, "-P", "-c", REFUSING, " ".join(calls)


def test_where_the_terminal_cannot_be_given_up_a_session_of_its_own_has_none() -> None:
    terminal = redirected(*LOOK, inside=refusing("ioctl"))
    terminal.expect(b"tty ENXIO 0 leads,")
    assert terminal.status() == 0


def test_a_guest_that_would_keep_the_terminal_is_not_started() -> None:
    terminal = redirected(*LOOK, inside=refusing("ioctl", "setsid"))
    assert terminal.status() == 125
    assert terminal.seen == b"run-untrusted-binary: cannot start the guest: setsid: Operation not permitted\n"


@pytest.mark.parametrize("refused", [(), ("ioctl",)])
def test_interrupt_reaches_a_guest_without_the_terminal_once(refused: tuple[str, ...]) -> None:
    """As a member of the terminal's foreground group; or, in a session of its own, by the supervisor."""
    inside = refusing(*refused) if refused else ()
    terminal = redirected(PYTHON, "-I", "-S", "-c", COUNTS_INTERRUPTS, inside=inside)
    terminal.expect(b"ready")
    terminal.send(b"\x03")
    terminal.expect(b"count 1")
    assert terminal.status() == 0


SPAWNS = """
import os, signal, sys
pid = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c",
    "import os, time; os.write(1, b'ready'); time.sleep(1000)"], {})
signal.signal(signal.SIGINT, lambda *_: None)
os.write(1, b"child %d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_interrupt_reaches_the_children_of_a_guest_without_the_terminal() -> None:
    terminal = redirected(PYTHON, "-I", "-S", "-c", SPAWNS)
    terminal.expect(b"ready")
    terminal.send(b"\x03")
    terminal.expect(b"child -2")
    assert terminal.status() == 0


GOES_ON = """
import os, signal
signal.signal(signal.SIGCONT, lambda *_: (os.write(1, b"continued"), os._exit(7)))
os.write(1, b"pid %d," % os.getpid())
while True: signal.pause()
"""


def stops(pid: int) -> bool:
    deadline = time.monotonic() + HANG
    while time.monotonic() < deadline:
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "tT":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(("redirection", "status"), [("", 7), ("</dev/null 2>&1 | cat", 0)])
def test_ctrl_z_stops_the_whole_job(redirection: str, status: int) -> None:
    """The guest with its supervisor: nobody would keep its limits."""
    words = shlex.join(command("--", PYTHON, "-I", "-S", "-c", GOES_ON))
    shell = f"{words} {redirection}; echo sto''pped; read; fg"
    terminal = Terminal(["/bin/bash", "--norc", "-mc", shell])
    terminal.expect(b"pid ")
    guest = int(terminal.expect(b","))
    terminal.send(b"\x1a")
    terminal.expect(b"stopped")
    assert stops(guest)
    terminal.send(b"\n")
    terminal.expect(b"continued")
    assert terminal.status() == status
