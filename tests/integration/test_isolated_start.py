"""Nothing of the working directory or of the caller's Python settings runs in the tool."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import HANG, ROOT
from tests.integration.hostile import Hostile

BIN = Path(sys.executable).parent
SETTINGS = ("empty-entry", "dot", "nothing", "path", "home", "user-base", "interactive", "rest")
COMMANDS = {
    "run": ["run-untrusted-binary", "--", "/bin/echo", "hi"],
    "log": [
        "run-untrusted-binary",
        "--audit",
        "/dev/null",
        "--outcome",
        "/dev/null",
        "--",
        "/bin/echo",
        "hi",
    ],
    "dry-run": ["run-untrusted-binary", "--dry-run"],
    "policy": ["sandboxctl", "policy", "check", "ostoo"],
    "help": ["sandboxctl", "--help"],
    "doctor": ["sandboxctl", "doctor"],
    "attack": ["sandboxctl", "attack", "--policy", "compute", "int80"],
    "conform": ["sandboxctl", "conform", "compute"],
}


@pytest.fixture
def hostile(tmp_path: Path) -> Hostile:
    return Hostile(tmp_path)


def ran(
    words: list[str], where: Path, settings: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        words, cwd=where, env={**env, **(settings or {})}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=HANG, check=False,
    )  # fmt: skip


def program(name: str) -> list[str]:
    name, *words = COMMANDS[name]
    return [str(BIN / name), *words]


@pytest.mark.parametrize("setting", [one for one in SETTINGS if one != "nothing"])
def test_the_settings_are_real(setting: str, hostile: Hostile) -> None:
    """A Python that is not isolated runs what they lead to."""
    # Of a virtual environment's Python, the user's site directory is no part: so its base.
    python = getattr(sys, "_base_executable", sys.executable)
    ran([python, "-c", "import typing, sandbox"], hostile.place, hostile.settings()[setting])
    ran([python], hostile.place, hostile.settings()[setting])
    assert hostile.marks()


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("command", ["run", "log", "policy"])
def test_nothing_of_it_runs_in_the_programs(command: str, setting: str, hostile: Hostile) -> None:
    done = ran(program(command), hostile.place, hostile.settings()[setting])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    assert not hostile.marks()


@pytest.mark.parametrize("command", ["dry-run", "help", "doctor", "attack", "conform"])
def test_nothing_of_it_runs_in_what_they_start(command: str, hostile: Hostile) -> None:
    settings = hostile.settings()
    done = ran(program(command), hostile.place, settings["path"] | settings["rest"] | settings["user-base"])
    assert (done.returncode, done.stderr) == (0, "")
    assert not hostile.marks()


# In a PID namespace that keeps the outer /proc, whose /proc/self is another number, or missing.
WITHOUT_PROC = """
import ctypes, os, sys
if ctypes.CDLL(None).unshare(0x20000000 | (0 if os.geteuid() == 0 else 0x10000000)):
    sys.exit(77)
child = os.fork()
if child == 0:
    assert not os.path.lexists("/proc/self") or os.readlink("/proc/self") != str(os.getpid())
    os.execv(sys.argv[1], ["other", *sys.argv[2:]])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_the_launcher_finds_itself_without_proc(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(BIN / "sandboxctl")
    done = ran([sys.executable, "-c", WITHOUT_PROC, "./link", "policy", "list"], tmp_path)
    if done.returncode == 77:
        pytest.skip("no PID namespace can be made here")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ostoo" in done.stdout


def test_python_m_sandbox(hostile: Hostile) -> None:
    words = [sys.executable, "-I", "-m", "sandbox", "--audit", "/dev/null", "--", "/bin/echo", "hi"]
    done = ran(words, hostile.place, hostile.settings()["path"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "hi\n", "")
    assert not hostile.marks()


def test_python_m_sandbox_without_isolation(tmp_path: Path) -> None:
    done = ran([sys.executable, "-m", "sandbox", "--", "/bin/echo", "hi"], tmp_path)
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == "run-untrusted-binary: not started isolated; use: python -I -m sandbox\n"


RUN = "import sandbox; print(sandbox.run(['/bin/echo', 'hi'], audit='/dev/null').status)"


def test_the_worker(hostile: Hostile) -> None:
    settings = hostile.settings()
    env = settings["path"] | settings["user-base"] | settings["interactive"]
    done = ran([sys.executable, "-I", "-c", RUN], hostile.place, env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hi\nok\n", "")
    assert not hostile.marks()


def test_pytest_plugin(hostile: Hostile, tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_one.py").write_text(
        "def test_one(sandboxed): assert sandboxed(['/bin/true']).outcome.status == 'ok'\n"
    )
    words = [sys.executable, "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tests)]
    done = ran([*words, str(tests)], hostile.place, hostile.settings()["path"])
    assert done.returncode == 0, done.stdout
    assert not hostile.marks()


# ---- with packages where only the host finds them ----


def place_of(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    origin = Path(spec.origin)
    return origin.parent if spec.submodule_search_locations else origin


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A directory with this package, as on somebody's PYTHONPATH; `needed` beside it has what it needs."""
    place, needed = tmp_path / "packages", tmp_path / "needed"
    needed.mkdir()
    shutil.copytree(ROOT / "sandbox", place / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "policies", place / "policies")
    for name in ("_cffi_backend", "elftools"):
        (needed / place_of(name).name).symlink_to(place_of(name))
    return place


def host(packages: Path, code: str = RUN, *, option: str = "-P") -> list[str]:
    """A Python with nothing installed that has the packages at the end of its path."""
    begin = f"import sys; sys.path += {[str(packages), str(packages.parent / 'needed')]}; "
    return [getattr(sys, "_base_executable", sys.executable), option, "-S", "-c", begin + code]


def test_packages_on_the_path_only(packages: Path, tmp_path: Path) -> None:
    done = ran(host(packages), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hi\nok\n", "")


def test_what_lies_beside_the_package_is_not_imported(packages: Path, hostile: Hostile) -> None:
    for entry in hostile.place.iterdir():
        if entry.name.partition(".")[0] in ("json", "signal", "argparse", "typing", "sitecustomize", "cffi"):
            entry.rename(packages / entry.name)
    done = ran(host(packages), packages)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hi\nok\n", "")
    assert not hostile.marks()


TOLD = """
import sandbox
try:
    done = sandbox.run(["/bin/true"], audit="/dev/null")
    print(done.status, done.reason)
except sandbox.SandboxError as error:
    print(type(error).__name__, error)
"""


def test_a_missing_package_is_no_fault_of_the_program(packages: Path, tmp_path: Path) -> None:
    (packages.parent / "needed" / "elftools").unlink()
    done = ran(host(packages, TOLD), tmp_path)
    assert done.stdout.startswith("setup-error the installation lacks pyelftools: ")
    assert done.stdout.endswith("pip install pyelftools\n")
    assert done.stderr == ""


def test_a_worker_that_cannot_load_the_core(packages: Path, tmp_path: Path) -> None:
    [core] = (packages.parent / "needed").glob("_cffi_backend*")
    gone = f"\nimport os, sandbox.client\nos.unlink({str(core)!r})\n"
    done = ran(host(packages, gone + TOLD), tmp_path)
    assert done.stdout.startswith("SetupError the installation lacks cffi: ")
    assert done.stderr == ""


@pytest.mark.parametrize("executable", ["", "relative/python", "/usr/sbin/uwsgi"])
def test_a_host_that_has_python_built_in(executable: str, packages: Path, tmp_path: Path) -> None:
    """sys.executable is not the interpreter there; the one of its installation is found."""
    done = ran(host(packages, f"sys.executable = {executable!r}; {RUN}"), tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "hi\nok\n", "")


def test_a_host_whose_python_is_nowhere(packages: Path, tmp_path: Path) -> None:
    lost = "\nsys.executable = ''; sys.exec_prefix = sys.base_exec_prefix = '/nowhere'\n"
    done = ran(host(packages, lost + TOLD), tmp_path)
    assert done.stdout.startswith("SetupError this program's Python is not to be found")
    assert "set sys.executable to the path of a python3" in done.stdout


# ---- once a guest has begun ----


def test_no_module_is_loaded_any_more(tmp_path: Path) -> None:
    code = (
        "import sys, wave, sandbox.cli.run as command\n"
        "assert command.main(['--', '/bin/true']) == 0\n"
        "import wave\n"
        "try: import tabnanny\n"
        "except ImportError as error: print(error, file=sys.stderr)\n"
    )
    done = ran([sys.executable, "-I", "-W", "ignore", "-c", code], tmp_path)
    assert done.stderr == "tabnanny was not loaded before the guest began\n"


UNDUMPABLE = """
import ctypes, os
ctypes.CDLL(None).prctl(4, 0)
try: os.chmod("/etc/passwd", 0)
except OSError: pass
"""


def test_an_undumpable_guest_makes_the_supervisor_load_nothing(tmp_path: Path, python: str) -> None:
    """An ordinary user's supervisor cannot read its memory, and tries another way."""
    words = [str(BIN / "run-untrusted-binary"), "-p", "observe", "--audit", "/dev/null", "--", python]
    done = ran([*words, "-I", "-S", "-c", UNDUMPABLE], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "script", ["", "import os; os.chdir(sys.argv[1])"], ids=["begun there", "moved there"]
)
def test_what_the_host_has_not_loaded_is_not_looked_for_in_the_working_directory(
    script: str, hostile: Hostile, tmp_path: Path
) -> None:
    """A host whose path begins with '' (python -c) finds its packages there, and its worker does not."""
    place = tmp_path / "only-elftools"
    (place / "elftools").mkdir(parents=True)
    (place / "elftools" / "__init__.py").write_text("raise SystemExit('run in the worker')\n")
    code = (
        f"import sys; from sandbox import run; {script or 'pass'}\n"
        "done = run(['/bin/true'], audit=sys.argv[2]); print(done.status, done.reason)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(place), str(tmp_path / "log")],
        cwd=place if not script else "/", capture_output=True, text=True, check=False, timeout=HANG,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok exit status 0\n", "")
