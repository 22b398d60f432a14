"""What a guest has been given, and what not, before its first instruction: seen from within."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import unpack
from typing import Any

import pytest

from sandbox._kernel import calls
from sandbox.errors import UsageError
from sandbox.launch import identity
from sandbox.syscalls.table import NUMBERS
from tests.integration.conftest import INSTALL, command

Run = Callable[..., Any]

HANG = int(os.environ.get("SANDBOX_HANG", "120"))  # seconds after which a run is taken to hang
ORDINARY = 54321  # nobody's uid, and not the one that guests of root's become
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a guest as another user")
REFUSES = (
    "import sys\ninsns = [(0x20, 0, 0, 0), (0x15, 0, 1, int(sys.argv[1])), (6, 0, 0, 0x50000 | 38)]\n"
    + INSTALL
)


def said(code: str, python: str, *options: str, within: tuple[str, ...] = (), **other: Any) -> str:
    """What a Python program prints as a guest; it must not fail."""
    words = [*within, *command("-p", "observe", *options), "--", python, "-I", "-S", "-c", code]
    done: subprocess.CompletedProcess[str] = subprocess.run(
        words, capture_output=True, text=True, timeout=HANG, check=False, **other
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.fixture
def ordinary(python: str) -> dict[str, Any]:
    """What makes a process of an ordinary user's; where we are one already, nothing."""
    if os.geteuid() != 0:
        return {}
    other: dict[str, Any] = {"user": ORDINARY, "group": ORDINARY, "extra_groups": []}
    try:
        words = command("--version")
        subprocess.run(words, check=True, capture_output=True, timeout=HANG, cwd="/", **other)
    except (PermissionError, subprocess.CalledProcessError):
        pytest.skip("other users cannot run this interpreter")
    return {"cwd": "/", **other}


# ---- who it is ----


@pytest.mark.parametrize("name", ["root", "toor"])
def test_root_needs_a_waiver_under_any_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(identity, "_known", lambda name: (0, 0))
    with pytest.raises(UsageError, match="needs --waive root=REASON"):
        identity.choose(name, keep_root=False)
    assert identity.choose(name, keep_root=True) == (0, 0)


@as_root
def test_user_root_is_refused_without_a_waiver() -> None:
    words = command("--user", "root", "--", "/bin/echo", "ran")
    done = subprocess.run(words, capture_output=True, text=True, timeout=HANG, check=False)
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == "run-untrusted-binary: --user root needs --waive root=REASON\n"


def test_an_ordinary_user_cannot_name_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="only root"):
        identity.choose("root", keep_root=True)


IDS = "import os; print(os.getresuid(), os.getresgid(), os.getgroups())"


@as_root
def test_a_guest_of_roots_has_one_group_and_one_user(python: str) -> None:
    def many() -> None:
        os.setgroups([0, 4, 42])

    user, group = identity.choose(None, keep_root=False) or (0, 0)
    assert user != 0
    expected = f"{(user,) * 3} {(group,) * 3} []"
    assert said(IDS, python, preexec_fn=many) == expected


SETS = """
for line in open("/proc/self/status"):
    if line.startswith(("Cap", "NoNewPrivs")): print(*line.split(), sep="")
"""
NO_CAPABILITY = [f"Cap{kind}:{0:016x}" for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")]


def with_ambient() -> tuple[str, ...]:
    """The words before a command that give it all our capabilities in every set."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    [line] = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("CapPrm:")]
    permitted = int(line.split()[1], 16)
    names = ",".join(f"+cap_{bit}" for bit in range(64) if permitted >> bit & 1)
    return "setpriv", "--inh-caps", names, "--ambient-caps", names


@as_root
@pytest.mark.parametrize(
    "options", [(), ("--user", "root", "--waive", "root=a test")], ids=["nobody", "root"]
)
def test_a_guest_has_no_capability_in_any_set(options: tuple[str, ...], python: str) -> None:
    """Started with all of them, in the ambient set too."""
    assert said(SETS, python, *options, within=with_ambient()).split() == [*NO_CAPABILITY, "NoNewPrivs:1"]


def test_no_program_gives_a_guest_new_privileges(python: str) -> None:
    assert "NoNewPrivs:1" in said(SETS, python)


# ---- what it has open ----


DESCRIPTORS = """
import os
def is_open(fd):
    try: os.fstat(fd)
    except OSError: return False
    return True
print([fd for fd in range(0, 1100) if is_open(fd)])
"""


def with_descriptors() -> None:
    fd = os.open("/etc/hostname", os.O_RDONLY)
    for number in (3, 4, 9, 1050):
        os.dup2(fd, number)


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 2048), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_guest_has_no_descriptor_from_3_up(python: str, many_descriptors: None) -> None:
    assert said(DESCRIPTORS, python, close_fds=False, preexec_fn=with_descriptors) == "[0, 1, 2]"


def test_a_guest_has_none_where_there_is_no_close_range(python: str, many_descriptors: None) -> None:
    within = (sys.executable, "-P", "-c", REFUSES, str(NUMBERS["close_range"]))
    open_ = said(DESCRIPTORS, python, within=within, close_fds=False, preexec_fn=with_descriptors)
    assert open_ == "[0, 1, 2]"


def test_what_the_caller_closed_is_closed_in_the_guest(python: str) -> None:
    """Also where the output is limited, and a pipe stands in for what is open."""
    code = DESCRIPTORS.replace("print(", "print(file=sys.stderr, *").replace("import os", "import os, sys")
    words = [*command("-p", "observe", "--output", "1MiB"), "--", python, "-I", "-S", "-c", code]
    done = subprocess.run(
        words, stderr=subprocess.PIPE, timeout=HANG, check=True, preexec_fn=lambda: os.close(1)
    )
    assert done.stderr == b"0 2\n"


CLOSES_INPUT = """
import os, signal
os.close(0)
os.write(1, b"closed\\n")
signal.pause()
"""


def guest(python: str, code: str, **other: Any) -> subprocess.Popen[bytes]:
    words = [*command("-p", "observe"), "--", python, "-I", "-S", "-c", code]
    return subprocess.Popen(words, **other)


def test_standard_input_is_the_guests_alone(python: str) -> None:
    pipe = subprocess.PIPE
    with guest(python, CLOSES_INPUT, stdin=pipe, stdout=pipe, bufsize=0) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            assert process.stdout.readline() == b"closed\n"
            with pytest.raises(BrokenPipeError):
                process.stdin.write(b"for nobody")
        finally:
            process.send_signal(signal.SIGTERM)


GIVES_UP_OUTPUT = """
import os, signal
signal.signal(signal.SIGALRM, lambda *_: os._exit(9))
signal.alarm(5)
os.close(1)
os._exit(0 if os.read(0, 1) == b"x" else 8)
"""


def test_a_pipe_from_a_guest_ends_when_the_guest_closes_it(python: str) -> None:
    """The run lives on meanwhile."""
    pipe = subprocess.PIPE
    with guest(python, GIVES_UP_OUTPUT, stdin=pipe, stdout=pipe, bufsize=0) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.read() == b""
        process.stdin.write(b"x")
        assert process.wait(HANG) == 0


# ---- no step is left out ----


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("capset", "capset"),
        ("landlock_restrict_self", "landlock_restrict_self"),
        ("seccomp", "seccomp(SECCOMP_SET_MODE_FILTER)"),
        pytest.param("setgroups", "setresuid", marks=as_root),
        pytest.param("setresgid", "setresuid", marks=as_root),
        pytest.param("setresuid", "setresuid", marks=as_root),
    ],
)
def test_a_guest_that_cannot_be_confined_is_not_started(call: str, told: str) -> None:
    """A filter around the sandbox answers ENOSYS to one call of those between fork and execve."""
    within = (sys.executable, "-P", "-c", REFUSES, str(NUMBERS[call]))
    words = command("-p", "default", "--cwd", "/usr", "--", "/bin/echo", "ran")
    done = subprocess.run([*within, *words], capture_output=True, text=True, timeout=HANG, check=False)
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith(f"run-untrusted-binary: cannot start the guest: {told}: ")
    assert done.stderr.count("\n") == 1


NO_EXECVE = """
schema = 1
name = "no-execve"
extends = "default"
[[rule]]
id = "none"
call = "execve"
verdict = "EPERM"
quiet = true
"""


def test_a_policy_without_execve_lets_the_program_itself_start(tmp_path: Path, python: str, run: Run) -> None:
    policy = tmp_path / "no-execve.toml"
    policy.write_text(NO_EXECVE)
    code = """
import os
try: os.execv("/bin/true", ["true"])
except OSError as error: print(error.strerror)
"""
    ran = run(python, "-I", "-S", "-c", code, policy=str(policy), options=("--cwd", "/usr"))
    assert (ran.status, ran.out) == (0, "Operation not permitted\n"), ran.err


# ---- what runs ----


def fill(fifo: int, take: int = 1) -> bytes:
    """Make a FIFO one page large, wait until it is full and its writer has to wait, and take some of it."""
    fcntl.fcntl(fifo, fcntl.F_SETPIPE_SZ, 4096)
    import select

    waiter = select.poll()
    waiter.register(fifo, select.POLLIN)
    while waited(fifo) < 4096:
        waiter.poll()
    return os.read(fifo, take)


def waited(fifo: int) -> int:
    return int(unpack("i", fcntl.ioctl(fifo, termios.FIONREAD, b"\0" * 4))[0])


def test_another_file_than_the_one_that_was_checked_never_runs(tmp_path: Path) -> None:
    """The log is a FIFO too small for its first record, which is written between the check and the execve."""
    program, other, log = tmp_path / "program", tmp_path / "other", tmp_path / "log"
    for path, source in ((program, "/bin/true"), (other, "/bin/echo")):
        path.write_bytes(Path(source).read_bytes())
        path.chmod(0o755)
    os.mkfifo(log)
    fifo = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    words = [*command("-p", "observe", "--audit", str(log)), "--", str(program), "x" * 10_000]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    fill(fifo)
    other.rename(program)
    os.set_blocking(fifo, True)
    while os.read(fifo, 1 << 16):
        pass
    os.close(fifo)
    out, err = process.communicate(timeout=HANG)
    assert (process.returncode, out) == (125, "")
    assert err == "run-untrusted-binary: another file than the one that was checked is running\n"


EXIT_IN_32_BITS = bytes.fromhex("b801000000bb05000000cd80")  # exit(5), by int 0x80


def i386_program(path: Path) -> None:
    """A static ELF for i386 of 3 instructions (elf(5))."""
    base, head = 0x08048000, 52 + 32
    ident = b"\x7fELF\x01\x01\x01" + bytes(9)
    sizes = (52).to_bytes(2, "little") + (32).to_bytes(2, "little") + (1).to_bytes(2, "little") + bytes(6)
    fields = (2 | 3 << 16, 1, base + head, 52, 0, 0)
    segment = (1, 0, base, base, head + len(EXIT_IN_32_BITS), head + len(EXIT_IN_32_BITS), 5, 4096)
    words = b"".join(one.to_bytes(4, "little") for one in fields)
    path.write_bytes(
        ident + words + sizes + b"".join(one.to_bytes(4, "little") for one in segment) + EXIT_IN_32_BITS
    )
    path.chmod(0o755)


def test_a_process_that_became_foreign_is_killed_before_it_runs(
    tmp_path: Path, python: str, run: Run
) -> None:
    """By way of a script, whose interpreter no look at the file of an execve tells of."""
    i386_program(tmp_path / "i386")
    try:
        native = subprocess.run([str(tmp_path / "i386")], check=False).returncode
    except OSError:
        pytest.skip("this kernel runs no 32-bit programs")
    assert native == 5
    script = tmp_path / "script"
    script.write_text(f"#!{tmp_path}/i386\n")
    script.chmod(0o755)
    code = f"import os; os.execv({str(script)!r}, ['script'])"
    ran = run(python, "-I", "-S", "-c", code, policy="observe")
    assert (ran.status, ran.outcome["status"], ran.outcome["rule"]) == (159, "violation", "exec-foreign")
    assert (ran.events("exec"), ran.outcome["signal"]) == ([], "SIGKILL")


# ---- what it reaches ----


MEMORY = """
import os
for name in ("mem", "maps", "environ", "fd", "cwd"):
    path = f"/proc/{os.getppid()}/{name}"
    try: os.listdir(path) if name == "fd" else os.readlink(path) if name == "cwd" else open(path).close()
    except PermissionError: continue
    print(name)
"""


def test_the_supervisors_memory_is_closed_to_a_guest_of_its_user(
    python: str, ordinary: dict[str, Any]
) -> None:
    assert said(MEMORY, python, **ordinary) == ""


ABSTRACT = """
import socket, sys
try: socket.socket(socket.AF_UNIX).connect("\\0" + sys.argv[1])
except OSError as error: print(error.strerror)
else: print("connected")
"""
LOCAL_SOCKETS = """
schema = 1
name = "local-sockets"
extends = "workspace"
[[rule]]
id = "sockets"
call = ["socket", "connect"]
verdict = "allow"
[network]
families = ["AF_UNIX"]
[[waiver]]
name = "local-sockets"
reason = "a test"
[[waiver]]
name = "network"
reason = "a test"
"""
needs_scopes = pytest.mark.skipif(
    calls.landlock_abi() < 6, reason="this Landlock knows no scopes (Linux 6.12)"
)


@needs_scopes
def test_abstract_sockets_of_others_are_out_of_reach(tmp_path: Path, python: str, run: Run) -> None:
    policy = tmp_path / "local.toml"
    policy.write_text(LOCAL_SOCKETS)
    name = f"sandbox-test-{os.getpid()}-{os.urandom(4).hex()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + name)
        server.listen()
        ran = run(python, "-I", "-S", "-c", ABSTRACT, name, policy=str(policy))
    assert (ran.status, ran.out) == (0, "Operation not permitted\n"), ran.err
