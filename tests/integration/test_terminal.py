"""Interactive programs in a terminal: a pseudo-terminal whose foreground job is the supervisor.

A guest has the terminal where one of its standard streams is that terminal, and has none elsewhere.
"""

from __future__ import annotations

import fcntl
import os
import pty
import shlex
import signal
import subprocess
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


# As a shell starts a job, in a group of its own with the terminal ("job") or in this one; then says what has
# become of the terminal. argv[1]: how; argv[2]: a command that is in the job, too, like a pipeline's last.
HOLDS = """
import fcntl, os, signal, subprocess, sys, termios
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
def state():
    exclusive = fcntl.ioctl(0, 0x80045440, bytes(4))
    flags = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (0, 1, 2)]
    return termios.tcgetattr(0), os.tcgetpgrp(0), flags, exclusive
def begin():
    if sys.argv[1] == "job":
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
other = subprocess.Popen(["/bin/sh", "-c", sys.argv[2]]) if sys.argv[2] else None
before = state()
process = subprocess.Popen(sys.argv[3:], preexec_fn=begin)
status = process.wait()
after = state()
if sys.argv[1] == "job":
    assert after[1] == process.pid, after
    os.tcsetpgrp(0, os.getpgrp())
    after = after[0], before[1], *after[2:]
if other:
    other.kill()
same = [one == two for one, two in zip(before, after)]
os.write(1, b"\\nfound %s status %d." % (b" ".join(str(one).encode() for one in same), status))
"""
AS_FOUND = "True True True True"

TAKES = """
import fcntl, os, signal, termios, tty
for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTTOU):
    signal.signal(one, signal.SIG_IGN)
os.setpgid(0, 0)
os.tcsetpgrp(0, os.getpgrp())
tty.setraw(0, termios.TCSANOW)
fcntl.fcntl(0, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND)
fcntl.ioctl(0, termios.TIOCEXCL)
os.write(1, b"taken")
"""
SUSPENDS = "termios.tcflow(0, termios.TCOOFF)\n"
WAITS = "while True: signal.pause()\n"


def holding(code: str, *options: str, how: str = "job", other: str = "") -> Terminal:
    words = command(*options, "--", PYTHON, "-I", "-S", "-c", code)
    return Terminal([sys.executable, "-I", "-S", "-c", HOLDS, how, other, *words])


def found(terminal: Terminal) -> tuple[str, int]:
    """What became of the terminal, and how the run ended."""
    terminal.expect(b"found ")
    same = terminal.expect(b" status ").decode()
    status = int(terminal.expect(b"."))
    terminal.status()
    return same, status


@pytest.mark.parametrize("how", ["job", "same"])
@pytest.mark.parametrize(
    ("code", "options", "status"),
    [
        ("", (), 0),
        (SUSPENDS, (), 0),
        ("os._exit(7)", (), 7),
        ("os.kill(os.getpid(), 9)", (), 137),
        (SUSPENDS + WAITS, ("--timeout", "3"), 124),
        ("while True: pass", ("--cpu", "1"), 124),
    ],
    ids=["ends", "suspends", "fails", "dies", "wall", "cpu"],
)
def test_a_terminal_is_given_back_as_it_was_found(
    how: str, code: str, options: tuple[str, ...], status: int
) -> None:
    terminal = holding(TAKES + code, *options, how=how)
    assert found(terminal) == (AS_FOUND, status)


def test_a_terminal_is_given_back_after_an_error() -> None:
    terminal = holding(TAKES + WAITS, "--timeout", "3", "--audit", "/dev/full")
    assert found(terminal) == (AS_FOUND, 125)


def test_a_terminal_that_somebody_else_set_is_left_so(tmp_path: Path) -> None:
    """As a pager does, which goes on after us."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    code = "import os, sys; os.write(1, b'go'); sys.stdin.readline()"
    other = f"read x <{shlex.quote(str(gate))}; stty -echo; echo set; exec sleep 1000"
    terminal = holding(code, how="same", other=other)
    terminal.expect(b"go")
    gate.write_bytes(b"\n")
    terminal.expect(b"set")
    terminal.send(b"\n")
    assert found(terminal) == ("False True True True", 0)


def supervisor_of(terminal: Terminal) -> int:
    """The run that a holder of the terminal has started."""
    return int(Path(f"/proc/{terminal.pid}/task/{terminal.pid}/children").read_text().split()[0])


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_run_whose_guest_took_the_terminal_is_ended_by_a_signal(name: str) -> None:
    terminal = holding(TAKES + WAITS)
    terminal.expect(b"taken")
    terminal.send(b"\x03\x1c\x1a")  # nobody's any more
    os.kill(supervisor_of(terminal), getattr(signal, name))
    assert found(terminal) == (AS_FOUND, 128 + signal.SIGKILL)


def test_a_run_whose_guest_took_the_terminal_ends_when_it_is_closed() -> None:
    terminal = interactive(PYTHON, "-I", "-S", "-c", TAKES + WAITS)
    terminal.expect(b"taken")
    os.close(terminal.fd)
    _, status = os.waitpid(terminal.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGKILL


REFLAGS = "import fcntl\nfor fd in (0, 1, 2): fcntl.fcntl(fd, fcntl.F_SETFL, 0o4000)"


def test_flags_of_open_files_are_given_back(tmp_path: Path) -> None:
    """Who appends to a log must not find himself at its beginning."""
    log = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    source = os.open("/etc/hostname", os.O_RDONLY)
    reader, writer = os.pipe()
    words = command("--", PYTHON, "-I", "-S", "-c", REFLAGS)
    flags = [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (source, log, writer)]
    done = subprocess.run(words, stdin=source, stdout=log, stderr=writer, timeout=HANG, check=False)
    assert done.returncode == 0
    assert [fcntl.fcntl(fd, fcntl.F_GETFL) for fd in (source, log, writer)] == flags
    for fd in (log, source, reader, writer):
        os.close(fd)
