"""A terminal for attacks on one: new for each run, held as a shell holds the user's, and read afterwards."""

from __future__ import annotations

import json
import os
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from sandbox import isolated

# Leads a session whose terminal is its standard input, runs a command there and ends it when its time is up;
# then takes the terminal back and reads what a shell would read next. It must live until then: at its end
# the kernel hangs the terminal up and forgets what is in its input.
_SHELL = """
import fcntl, json, os, signal, subprocess, sys, termios, tty
answer, seconds, kept, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4:]
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
def state():
    return {"settings": termios.tcgetattr(0), "foreground": os.tcgetpgrp(0), "waiting": os.get_blocking(0)}
before = state()
process = subprocess.Popen(command, pass_fds=[int(one) for one in kept.split(",") if one])
try:
    status = process.wait(seconds)
except subprocess.TimeoutExpired:
    status = None
    process.kill()
    process.wait()
after = state()
changed = [name for name in before if before[name] != after[name]]
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
os.tcsetpgrp(0, os.getpgrp())
tty.setraw(0, termios.TCSANOW)
os.set_blocking(0, False)
try:
    typed = os.read(0, 4096)
except BlockingIOError:
    typed = b""
os.write(answer, json.dumps({"status": status, "typed": bool(typed), "changed": changed}).encode())
"""


_CHANGES = {
    "settings": "settings",
    "foreground": "processes in its foreground",
    "waiting": "reads: whether they wait",
}


class Told(NamedTuple):
    """How a command ended, None where its time was up, and whether it left keys in the terminal's input.

    `changed` says what of the terminal it left as it was not before: `settings`, `foreground` (the process
    group), `waiting` (whether reads wait, which is the open file's, so the shell's, too).
    """

    status: int | None
    typed: bool
    changed: tuple[str, ...] = ()

    def damage(self) -> list[str]:
        """What was done to the terminal, one phrase each."""
        keys = ["the terminal's input has keys that nobody typed"] if self.typed else []
        return [*keys, *(f"the terminal is left with other {_CHANGES[name]}" for name in self.changed)]


@contextmanager
def terminal() -> Iterator[int]:
    """A terminal in which nobody types, and that shows nothing."""
    controller, fd = os.openpty()
    try:
        tty.setraw(fd)
        yield fd
    finally:
        os.close(controller)
        os.close(fd)


def held(words: Sequence[str], seconds: float, kept: Sequence[int], answer: int) -> list[str]:
    """The command that runs `words` on the terminal that is its standard input, and writes to `answer`."""
    descriptors = ",".join(map(str, kept))
    return [isolated.interpreter(), "-I", "-S", "-c", _SHELL, str(answer), str(seconds), descriptors, *words]


def told(answer: BinaryIO) -> Told:
    """What that command wrote. Raises OSError where it did not come so far."""
    try:
        found = Told(**json.load(answer))
        return found._replace(changed=tuple(found.changed))
    except (ValueError, TypeError):
        raise OSError("what held the terminal was ended") from None
