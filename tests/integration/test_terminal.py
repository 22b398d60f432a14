"""Interactive programs in a terminal: a pseudo-terminal whose foreground job is the supervisor."""

from __future__ import annotations

import os
import pty
import signal
import sys

# One that any user may run: a guest of root's is nobody.
SHARED = ("/usr/bin/python3", "/usr/local/bin/python3")
PYTHON = next((path for path in SHARED if os.path.exists(path)), sys.executable)


class Terminal:
    """A session on a new pseudo-terminal running one command, driven by expect and send."""

    def __init__(self, *program: str) -> None:
        words = [sys.executable, "-P", "-c", "import sys; from sandbox.cli.run import main; sys.exit(main())"]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for one in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
                signal.signal(one, signal.SIG_DFL)  # a job in the background would ignore SIGINT
            os.execv(words[0], [*words, "--", *program])
        self.seen = b""

    def expect(self, text: bytes) -> None:
        """Read until `text` was printed since the last expect."""
        while text not in self.seen:
            try:
                chunk = os.read(self.fd, 4096)
            except OSError:
                chunk = b""
            assert chunk, f"{text!r} did not come; seen: {self.seen!r}"
            self.seen += chunk
        self.seen = self.seen.partition(text)[2]

    def send(self, text: bytes) -> None:
        os.write(self.fd, text)

    def status(self) -> int:
        """Exit status as a shell reports it."""
        try:
            while os.read(self.fd, 4096):
                pass
        except OSError:
            pass
        os.close(self.fd)
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code


def test_cat_echoes_lines_until_end_of_file() -> None:
    terminal = Terminal("/bin/cat")
    for line in (b"one\n", b"two\n"):
        terminal.send(line)
        terminal.expect(line.strip())  # the terminal's echo
        terminal.expect(line.strip())  # cat's
    terminal.send(b"\x04")
    assert terminal.status() == 0


def test_a_repl_works() -> None:
    terminal = Terminal(PYTHON, "-I", "-q")
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
    terminal = Terminal(PYTHON, "-I", "-S", "-c", COUNTS_INTERRUPTS)
    terminal.expect(b"ready")
    terminal.send(b"\x03")
    terminal.expect(b"count 1")
    assert terminal.status() == 0


def test_interrupt_ends_a_program_that_does_not_handle_it() -> None:
    terminal = Terminal("/bin/cat")
    terminal.send(b"x\n")
    terminal.expect(b"x\r\nx")
    terminal.send(b"\x03")
    assert terminal.status() == 130


def test_a_program_reads_the_window_size() -> None:
    code = "import os; os.write(1, b'size %d %d' % os.get_terminal_size(0))"
    terminal = Terminal(PYTHON, "-I", "-S", "-c", code)
    terminal.expect(b"size ")
    assert terminal.status() == 0
