"""Kills supervisors, one after another, and waits for all they leave behind: a program of its own.

    python shepherd.py HANG < runs.json

Each run is {"words": [...], "log": path, "size": bytes, "delay": seconds}: the words are started, and once
the log has that size, and that much more time is over, the process gets SIGKILL. For each run a line of JSON
tells the supervisor's wait status, and how many of its descendants were left after HANG seconds.

This process is a child subreaper (PR_SET_CHILD_SUBREAPER). The supervisor is one too, but it is dead:
whatever it left alive, in whatever session, group or environment, has become a child of this process or
descends from one. So nothing is left exactly when wait(2) says that there is no child (ECHILD).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

PR_SET_CHILD_SUBREAPER = 36


class StillThereError(Exception):
    """The time for all to be gone is over."""


def children() -> list[int]:
    with open("/proc/thread-self/children") as file:
        return [int(word) for word in file.read().split()]


def wait_for_all(hang: int) -> int:
    """Waits until there is no child any more; kills and counts what is left after `hang` seconds."""
    left = 0
    signal.alarm(hang)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            signal.alarm(0)
            return left
        except StillThereError:
            left += len(children())
            for pid in children():
                os.kill(pid, signal.SIGKILL)
            signal.alarm(1)


def size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return -1


def run(words: list[str], log: str, size: int, delay: float, hang: int) -> dict[str, Any]:
    process = subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL)
    while size_of(log) < size and process.poll() is None:
        time.sleep(0.0005)
    time.sleep(delay)
    process.kill()
    return {"status": process.wait(), "left": wait_for_all(hang)}


def on_alarm(*_: object) -> None:
    raise StillThereError


def main() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        sys.exit("prctl(PR_SET_CHILD_SUBREAPER) failed")
    signal.signal(signal.SIGALRM, on_alarm)
    for one in json.load(sys.stdin):
        print(json.dumps(run(**one, hang=int(sys.argv[1]))), flush=True)


if __name__ == "__main__":
    main()
