"""`sandboxctl doctor` and `--dry-run`, against facts that this test finds out by itself.

Nothing here depends on what this kernel has: shortfalls are made by a seccomp filter around the command.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.launch.namespaces import may_make_namespaces
from sandbox.syscalls.table import NUMBERS
from tests.integration.conftest import INSTALL

ROOT = Path(__file__).resolve().parents[2]
HANG = 120
NOBODY = 65534
RUN, CTL = "sandbox.cli.run", "sandbox.cli.ctl"

# Refuses the calls in argv[1], "nr:errno,…" (errno 0 kills), for argv[2:], as a container's filter would.
FILTERED = (
    """
import sys
refused = [tuple(map(int, one.split(":"))) for one in sys.argv[1].split(",")]
insns = [(0x20, 0, 0, 0)]
for nr, error in refused:
    insns += [(0x15, 0, 1, nr), (6, 0, 0, 0x50000 | error if error else 0x80000000)]
"""
    + INSTALL
)

User = int | None


def words(module: str, *arguments: str) -> list[str]:
    code = f"import sys; from {module} import main; sys.exit(main())"
    return [sys.executable, "-P", "-c", code, *arguments]


def done(
    command: list[str], user: User = None, refused: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command, as another user, and with calls refused."""
    if refused:
        command = [sys.executable, "-P", "-c", FILTERED, refused, *command]
    other: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=HANG, check=False, cwd="/", stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | (env or {}), **other,
    )  # fmt: skip


def doctor(user: User = None, refused: str = "") -> tuple[int, dict[str, Any], dict[str, Any]]:
    """The exit status, the document, and its features by name."""
    ran = done(words(CTL, "doctor", "--format", "json"), user, refused)
    assert ran.stderr == ""
    document = json.loads(ran.stdout)
    return ran.returncode, document, {one["name"]: one for one in document["features"]}


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory that other users reach at every moment; pytest closes its own when a session starts."""
    path = Path(tempfile.mkdtemp(prefix="test-doctor-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(params=["me", "nobody"])
def user(request: pytest.FixtureRequest) -> User:
    """Ourselves; and, where we are root and others can reach this interpreter, an ordinary user."""
    if request.param == "me":
        return None
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    with contextlib.suppress(PermissionError):
        if done(words(CTL, "--version"), NOBODY).returncode == 0:
            return NOBODY
    pytest.skip("other users cannot run this interpreter")


def refuse(*names: str, error: int = errno.EPERM) -> str:
    return ",".join(f"{NUMBERS[name]}:{error}" for name in names)


def run(*arguments: str, user: User = None, refused: str = "", env: dict[str, str] | None = None) -> Any:
    return done(words(RUN, *arguments), user, refused, env)


# ---- doctor ----


def test_ready_means_that_a_run_works(user: User) -> None:
    status, document, features = doctor(user)
    assert status == (0 if document["ready"] else 1)
    assert document["ready"] == (run("/bin/true", user=user).returncode == 0)
    assert document["user"] == (os.geteuid() if user is None else user)
    assert document["kernel"] == os.uname().release
    assert features["ptrace"]["level"] == "full"  # all other tests here need it


TRY = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
print(libc.syscall(*map(int, sys.argv[1:])), ctypes.get_errno())
"""


def tried(user: User, *numbers: int) -> tuple[int, int]:
    """A system call's result and errno, found by a process of that user."""
    ran = done([sys.executable, "-P", "-c", TRY, *map(str, numbers)], user)
    result, error = map(int, ran.stdout.split())
    return result, error


def test_landlock_is_what_the_kernel_says(user: User) -> None:
    abi, _ = tried(user, NUMBERS["landlock_create_ruleset"], 0, 0, 1)
    feature = doctor(user)[2]["Landlock"]
    if abi > 0:
        assert feature["found"].startswith(f"ABI {abi},")
        assert feature["level"] == ("full" if abi >= 6 else "partial")
    else:
        assert feature["level"] == "none"


def enforcement(outcome: Path, user: User, *options: str) -> dict[str, str]:
    """What a run under the default policy says that it enforces."""
    outcome.parent.chmod(0o777)
    assert run("--outcome", str(outcome), *options, "/bin/true", user=user).returncode == 0
    told: dict[str, str] = json.loads(outcome.read_text())["enforcement"]
    return told


def test_namespaces_are_what_the_kernel_allows(user: User, tmp_path: Path) -> None:
    features = doctor(user)[2]
    made = tried(user, NUMBERS["unshare"], 0x10000000)[0] == 0
    assert (features["user namespaces"]["level"] != "none") == made
    empty = enforcement(tmp_path / "outcome.json", user)["network-namespace"] == "full"
    assert (features["network namespaces"]["level"] == "full") == empty


@pytest.mark.parametrize(
    ("name", "call"), [("pidfd_open", (434, os.getpid(), 0)), ("close_range", (436, 1 << 30, 1 << 30, 4))]
)
def test_calls_are_what_the_kernel_has(name: str, call: tuple[int, ...]) -> None:
    assert (doctor()[2][name]["level"] == "full") == (tried(None, *call)[0] >= 0)


def test_settings_are_those_of_proc() -> None:
    features = doctor()[2]
    for name, text in (
        ("core dumps", Path("/proc/sys/kernel/core_pattern").read_text()),
        ("user namespaces", Path("/proc/sys/user/max_user_namespaces").read_text()),
    ):
        shown = text.strip().split(" ")[0].removeprefix("|")
        assert shown in features[name]["found"]
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    expected = f"ptrace_scope {scope.read_text().strip()}" if scope.exists() else "no kernel.yama"
    assert expected in features["ptrace"]["found"]


EPERM, ENOSYS = errno.EPERM, errno.ENOSYS
# Root's runs make a network namespace, and are refused where they may but cannot.
ISOLATES = int(may_make_namespaces())

# what is refused, how, the feature that lacks it, its level, a word of its remedies, doctor's status
REFUSED: list[tuple[str, int, str, str, str, int]] = [
    ("ptrace", EPERM, "ptrace", "none", "--cap-add=SYS_PTRACE", 1),
    ("ptrace", 0, "ptrace", "none", "--cap-add=SYS_PTRACE", 1),
    ("seccomp", EPERM, "seccomp", "none", "--security-opt seccomp=", 1),
    ("landlock_create_ruleset", ENOSYS, "Landlock", "none", "CONFIG_SECURITY_LANDLOCK", 1),
    ("landlock_restrict_self", EPERM, "Landlock", "none", "--security-opt seccomp=", 1),
    ("process_vm_readv", ENOSYS, "process_vm_readv", "partial", "CROSS_MEMORY_ATTACH", 0),
    ("close_range", ENOSYS, "close_range", "partial", "Linux 5.11", 0),
    ("pidfd_open", ENOSYS, "pidfd_open", "none", "Linux 5.3", 0),
    ("unshare", EPERM, "user namespaces", "none", "--security-opt seccomp=", ISOLATES),
    ("unshare", 0, "network namespaces", "none", "", ISOLATES),
]


@pytest.mark.parametrize(("call", "error", "name", "level", "remedy", "status"), REFUSED)
def test_what_a_container_refuses_is_found(
    call: str, error: int, name: str, level: str, remedy: str, status: int
) -> None:
    whole = doctor()[0]
    found, document, features = doctor(refused=refuse(call, error=error))
    assert found == max(status, whole)
    assert features[name]["level"] == level
    assert any(remedy in one for one in features[name]["remedies"])
    assert features["outer seccomp filter"]["found"].startswith("mode 2")
    assert document["ready"] == (found == 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_a_root_without_setuid_is_told() -> None:
    status, _, features = doctor(refused=refuse("setresuid"))
    assert status == 1
    assert features["unprivileged guest"]["level"] == "none"


def test_text_tells_the_same(user: User) -> None:
    ran = done(words(CTL, "doctor"), user)
    status, _, features = doctor(user)
    assert (ran.returncode, ran.stderr) == (status, "")
    shown = {
        line[9:].partition(": ")[0]: line[:9].strip() for line in ran.stdout.splitlines() if line[:1] > " "
    }
    assert {name: one["level"] for name, one in features.items()}.items() <= shown.items()


@pytest.mark.parametrize("wrong", [["--format", "xml"], ["more"], ["--frmat", "json"]])
def test_wrong_use(wrong: list[str]) -> None:
    assert done(words(CTL, "doctor", *wrong)).returncode == 2


# ---- --dry-run ----


def plan(text: str) -> dict[str, str]:
    """A plan's lines by name."""
    pairs = (line.split(maxsplit=1) for line in text.splitlines() if line[:3].strip())
    return {pair[0]: pair[1] if len(pair) > 1 else "" for pair in pairs}


@pytest.fixture
def strange(tmp_path: Path) -> Callable[[str], str]:
    """Programs that cannot run."""

    def make(kind: str) -> str:
        path = tmp_path / kind
        if kind == "script":
            path.write_text("#!/bin/sh\n")
        if kind == "no-interpreter":
            path.write_bytes(Path("/bin/true").read_bytes().replace(b"/ld-", b"/no-"))
        if kind == "directory":
            path.mkdir()
        if kind in ("script", "no-interpreter"):
            path.chmod(0o755)
        return str(path)

    return make


REFUSALS: list[tuple[tuple[str, ...], str, int]] = [
    ((), "/bin/true", 0),
    ((), "true", 0),
    ((), "/no/such/program", 127),
    ((), "no-such-program-in-path", 127),
    ((), "/etc/passwd", 126),
    ((), "directory", 126),
    ((), "script", 126),
    ((), "no-interpreter", 126),
    (("--cwd", "/no/such/directory"), "/bin/true", 125),
    (("--env", "=x"), "/bin/true", 125),
    (("--user", "no-such-user"), "/bin/true", 125),
    (("--policy", "no-such-policy"), "/bin/true", 125),
    (("--wrong",), "/bin/true", 125),
]  # fmt: skip


@pytest.mark.parametrize(("options", "program", "status"), REFUSALS)
def test_the_status_is_that_of_the_run(
    options: tuple[str, ...], program: str, status: int, strange: Callable[[str], str], user: User
) -> None:
    name = strange(program) if program in ("directory", "script", "no-interpreter") else program
    dry = run("--dry-run", *options, name, user=user)
    real = run(*options, name, user=user)
    assert (dry.returncode, real.returncode) == (status, status)
    assert dry.stderr == real.stderr
    if status and dry.stdout:
        assert plan(dry.stdout)["result"].endswith(f"exit status {status}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's guests are other users")
def test_what_the_guests_user_may_not_do_is_found(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir(0o700)
    program = shutil.copy("/bin/true", secret)
    for arguments in ((program,), ("--cwd", str(secret), "/bin/true")):
        dry, real = run("--dry-run", *arguments), run(*arguments)
        assert dry.returncode == real.returncode
        assert dry.returncode in (125, 126)
        assert dry.stderr == real.stderr


@pytest.mark.parametrize(
    "refused", ["ptrace", "seccomp", "landlock_create_ruleset", "landlock_restrict_self"]
)
def test_what_the_kernel_refuses_is_found(refused: str) -> None:
    dry, real = (run(*one, "/bin/true", refused=refuse(refused)) for one in (("--dry-run",), ()))
    assert (dry.returncode, real.returncode) == (125, 125)
    assert dry.stderr == real.stderr
    assert "REFUSED" in plan(dry.stdout)


@pytest.mark.skipif(not ISOLATES, reason="only root's runs make namespaces")
def test_a_namespace_that_cannot_be_made_is_found() -> None:
    dry, real = (run(*one, "/bin/true", refused=refuse("unshare")) for one in (("--dry-run",), ()))
    assert (dry.returncode, real.returncode) == (125, 125)
    assert dry.stderr == real.stderr
    assert "unshare" in dry.stderr


def test_nothing_is_run_and_nothing_is_left(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(0o777)
    options = ("-p", "workspace", "--write", str(place))
    files = ("--audit", str(tmp_path / "log"), "--outcome", str(tmp_path / "outcome"))
    guest = ("--", "/bin/sh", "-c", f"echo I ran; echo x > {place}/made")
    dry = run("--dry-run", *options, *files, *guest, env={})
    assert dry.returncode == 0
    assert "I ran" not in dry.stdout
    assert list(place.iterdir()) == []
    assert sorted(one.name for one in tmp_path.iterdir()) == ["place"]
    assert run(*options, *guest, env={"TMPDIR": str(place)}).stdout == "I ran\n"
    assert [one.name for one in place.iterdir()] == ["made"]


def test_enforcement_is_that_of_the_run(tmp_path: Path, user: User) -> None:
    dry = plan(run("--dry-run", "--memory", "1GiB", "/bin/true", user=user).stdout)
    told = enforcement(tmp_path / "outcome.json", user, "--memory", "1GiB")
    assert dry["memory"] == told["memory"]
    assert (doctor(user)[2]["cgroup v2"]["level"] == "full") == dry["memory"].startswith("full")
    assert dry["landlock"] == told["landlock"]
    for name in ("ptrace", "seccomp", "no-new-privs"):
        assert dry[name].startswith(told[name])
    assert dry["namespace"].startswith(told["network-namespace"])


def test_the_guest_is_who_the_plan_says(user: User) -> None:
    shown = plan(run("--dry-run", "/bin/true", user=user).stdout)["user"]
    real = run("--", "id", "-u", user=user).stdout.strip()
    assert f"({real})" in shown or f"user {real}," in shown


def test_the_environment_is_the_guests(user: User) -> None:
    options = ("--env", "EXTRA=1", "--env", "LC_ALL=C")
    shown = plan(run("--dry-run", *options, "/bin/true", user=user).stdout)["environment"].split()
    real = {line.partition("=")[0] for line in run(*options, "--", "env", user=user).stdout.splitlines()}
    assert set(shown) == real


POLICY = """
schema = 1
name = "placed"
extends = "default"
[files]
add-read = ["/no/such/place"]
"""


def test_a_policy_file_is_shown(tmp_path: Path) -> None:
    policy = tmp_path / "placed.toml"
    policy.write_text(POLICY)
    options = ("-p", str(policy), "--timeout", "9", "--vfork", "kernel", "--waive", "open-files=a test")
    ran = run("--dry-run", *options, "--open-files", "300")
    shown = plan(ran.stdout)
    assert ran.returncode == 0
    assert shown["policy"].startswith(f"placed ({policy}")
    assert "/no/such/place (does not exist)" in " ".join(ran.stdout.split())
    assert shown["vfork"].startswith("kernel")
    assert shown["waivers"] == "open-files"
    assert shown["program"].startswith("none given")
    assert "execve" not in shown
    assert "wall: 9 s" in ran.stdout
    assert "open-files: 300 a process" in ran.stdout


def test_without_a_program_a_run_is_wrong_use() -> None:
    assert run().returncode == 125
    assert run("--dry-run").returncode == 0


@pytest.mark.parametrize("value", [None, "", "relative", "/no/such/place", "{tmp_path}"])
def test_the_callers_tmpdir_has_no_say(value: str | None, tmp_path: Path, user: User) -> None:
    """The guest's lies in the home of all scratch directories, as the plan says; it is the guest's TMPDIR."""
    env = {} if value is None else {"TMPDIR": value.format(tmp_path=tmp_path)}
    words = ("-p", "default", "--cwd", "/", "--", "/bin/sh", "-c", "echo $TMPDIR")
    shown = plan(run("--dry-run", *words, env=env, user=user).stdout)["scratch"]
    ran = run(*words, env=env, user=user)
    assert ran.returncode == 0, ran.stderr
    home = Path(ran.stdout.strip()).parents[1]
    assert home.name.startswith("ostoo-sandbox-")
    assert shown == f"a private directory in {home}, removed afterwards"
    assert doctor(user)[2]["scratch directory"]["found"] == f"one was made in {home}, and removed"


def test_another_place_for_temporary_files(tmp_path: Path) -> None:
    """For who has no room where scratch directories are made."""
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(0o777)
    words = ("--write", str(place), "--env", f"TMPDIR={place}", "--", "/bin/sh", "-c", "echo x >$TMPDIR/made")
    assert run(*words).returncode == 0
    assert (place / "made").exists()
