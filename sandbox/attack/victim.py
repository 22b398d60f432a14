"""The victim: a harmless process beside the sandbox that attacks may hurt, and that tells what it saw.

It holds a cookie in its memory and listens on every kind of local socket a guest might reach. Whatever
an attack does to it can be seen afterwards, from its own report and from /proc.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from types import TracebackType
from typing import Any

from sandbox import isolated
from sandbox.errors import SetupError

COOKIE_MARK = "ATTACK-COOKIE:"
_PATIENCE = 10  # seconds until a victim that does not answer counts as stopped

# Runs in an interpreter of its own: one JSON object when ready, and one for each line on its standard input.
_SCRIPT = """
import array, json, os, socket, sys

[cookie] = sys.argv[1:]
memory = array.array("B", cookie.encode().ljust(64, b"\\0"))
kinds = {}

def add(name, family, kind, address):
    kinds[name] = socket.socket(family, kind)
    kinds[name].bind(address)
    if kind == socket.SOCK_STREAM:
        kinds[name].listen(8)
    kinds[name].setblocking(False)

name = "sandbox-attack-%d-%s" % (os.getpid(), os.urandom(4).hex())
add("abstract", socket.AF_UNIX, socket.SOCK_STREAM, "\\0" + name)
add("abstract-dgram", socket.AF_UNIX, socket.SOCK_DGRAM, "\\0" + name + ".dgram")
# In the directory that we begin in, and for everybody: no name is looked up again.
before = os.umask(0)
add("path", socket.AF_UNIX, socket.SOCK_STREAM, "socket")
add("path-dgram", socket.AF_UNIX, socket.SOCK_DGRAM, "socket.dgram")
os.umask(before)
path = os.path.join(os.getcwd(), "socket")
os.chdir("/")
while True:
    add("tcp", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
    port = kinds["tcp"].getsockname()[1]
    try:
        add("udp", socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", port))
        break
    except OSError:
        kinds["tcp"].close()

def arrived(listener):
    try:
        listener.accept() if listener.type == socket.SOCK_STREAM else listener.recv(1)
    except OSError:
        return False
    return True

def tell(**facts):
    print(json.dumps(facts), flush=True)

tell(cookie=hex(memory.buffer_info()[0]), socket=name, path=path, tcp=port)
for line in sys.stdin:
    tell(memory=memory.tobytes().hex(), reached=[one for one in kinds if arrived(kinds[one])])
"""

# Fields of /proc/PID/stat (proc(5), from 1): priority, nice, rt_priority, policy.
_STAT = {"priority": 18, "nice": 19, "rt_priority": 40, "policy": 41}
_STATUS = (
    "Name",
    "Umask",
    "TracerPid",
    "Uid",
    "Gid",
    "Groups",
    "NoNewPrivs",
    "Seccomp",
    "Cpus_allowed",
    "SigIgn",
)


class Victim:
    """One victim process, with two of its sockets in `directory`; a context manager that ends it."""

    def __init__(self, directory: str, token: str) -> None:
        self._cookie = COOKIE_MARK + token
        self._process = subprocess.Popen(
            [isolated.interpreter(), "-I", "-S", "-c", _SCRIPT, self._cookie],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=directory, start_new_session=True,
        )  # fmt: skip
        self.pid = self._process.pid
        try:
            self._facts = self._hear()
        except (OSError, ValueError) as error:
            self.end()
            raise SetupError(f"the victim process does not start: {error}") from None
        self._before = self._seen_from_outside()

    def environment(self) -> dict[str, str]:
        """What a program is told of the victim."""
        return {
            "ATTACK_VICTIM": str(self.pid),
            "ATTACK_COOKIE": self._facts["cookie"],
            "ATTACK_SOCKET": self._facts["socket"],
            "ATTACK_SOCKET_PATH": self._facts["path"],
            "ATTACK_TCP": str(self._facts["tcp"]),
        }

    def damage(self) -> list[str]:
        """What an attack did to it, one phrase each; empty where nothing."""
        if self._is_dead(0):
            return [f"the victim is dead ({self._process.returncode})"]
        after = self._seen_from_outside()
        found = [
            f"the victim's {name}: {self._before[name]} is now {value}"
            for name, value in after.items()
            if value != self._before[name]
        ]
        if after["stopped"]:
            return found
        try:
            return found + self._told()
        except (OSError, ValueError) as error:
            if self._is_dead(_PATIENCE):
                return [f"the victim is dead ({self._process.returncode})"]
            return [*found, f"the victim does not answer: {error}"]

    def _is_dead(self, patience: float) -> bool:
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _told(self) -> list[str]:
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(b"\n")
        stdin.flush()
        report = self._hear()
        found = [f"something reached the victim's {kind} socket" for kind in report["reached"]]
        if bytes.fromhex(report["memory"]).rstrip(b"\0") != self._cookie.encode():
            found.append("the victim's memory has changed")
        return found

    def _hear(self) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        os.set_blocking(stdout.fileno(), False)
        deadline = time.monotonic() + _PATIENCE
        line = b""
        while not line.endswith(b"\n"):
            chunk = _readable(stdout.fileno(), deadline - time.monotonic())
            if not chunk:
                raise ValueError("no answer")
            line += chunk
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _seen_from_outside(self) -> dict[str, Any]:
        stat = _proc(self.pid, "stat").rpartition(")")[2].split()
        status = dict(
            line.split(":\t", 1) for line in _proc(self.pid, "status").splitlines() if ":\t" in line
        )
        return {
            "stopped": stat[0] in "Tt",
            "limits": _proc(self.pid, "limits"),
            "oom_score_adj": _proc(self.pid, "oom_score_adj"),
            "process group and session": stat[2:4],
            **{name: stat[field - 3] for name, field in _STAT.items()},
            **{name: status.get(name) for name in _STATUS},
        }

    def end(self) -> None:
        """Kill it and wait for its end."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait()

    def __enter__(self) -> Victim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


def _readable(fd: int, seconds: float) -> bytes:
    import select

    waiter = select.poll()  # which takes descriptors of any number
    waiter.register(fd, select.POLLIN)
    return os.read(fd, 1 << 16) if waiter.poll(max(seconds, 0) * 1000) else b""


def _proc(pid: int, name: str) -> str:
    with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as stream:
        return stream.read()
