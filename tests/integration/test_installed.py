"""What a wheel carries, and that it works wherever pip puts it: with nothing of the checkout, the prober and
the attack programs are there, and the two programs start isolated."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import HANG, ROOT
from tests.integration.hostile import Hostile
from tests.reach import need_python_for

MAIN = "import sys; sys.path.insert(0, {place!r}); from sandbox.cli.ctl import main; sys.exit(main())"
BASE = getattr(sys, "_base_executable", sys.executable)
ANOTHER = 12345  # a user that has nothing


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that everybody may look into; those of pytest's are closed whenever a pytest starts."""
    place = Path(tempfile.mkdtemp(prefix="installed-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    """The wheel, built once for all tests here."""
    build, info = place / "build", place / "info"
    info.mkdir()
    words = [
        *("setup.py", "-q", "build", "-b", str(build), "egg_info", "-e", str(info)),
        *("bdist_wheel", "-d", str(place / "wheel"), "-b", str(place / "bdist")),
    ]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=HANG, check=False
    )
    assert done.returncode == 0, done.stderr
    [wheel] = (place / "wheel").iterdir()
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, place: Path) -> Path:
    """A wheel's files as an installer lays them out."""
    files = place / "files"
    words = ("--target", str(files))
    pip(sys.executable, *words, str(wheel))
    return files


def pip(python: str, *words: str, **settings: str) -> None:
    """Install without asking any index; what the package needs comes from this Python's own."""
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install",
            "-q", "--no-index", "--no-deps", "--no-compile", "--break-system-packages", *words,
        ],
        capture_output=True, text=True, timeout=HANG, check=False, env={**os.environ, **settings},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def add_needed(packages: Path) -> None:
    """Put what the package needs beside it."""
    for name in ("_cffi_backend", "elftools"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        if spec.submodule_search_locations:
            shutil.copytree(Path(spec.origin).parent, packages / name)
        else:
            shutil.copy2(spec.origin, packages)


def sandboxctl(installed: Path, where: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-c", MAIN.format(place=str(installed)), *words],
        cwd=where, capture_output=True, text=True, timeout=HANG, check=False,
    )  # fmt: skip


def test_every_program_is_there(installed: Path) -> None:
    package = installed / "sandbox"
    programs = package / "attack" / "programs"
    sources = {path.stem for path in (ROOT / "guests" / "attacks").glob("*.c")}
    assert set(os.listdir(programs)) == sources | {"index.json"}
    assert set(json.loads((programs / "index.json").read_text())) == sources
    assert os.access(package / "conformance" / "prober", os.X_OK)
    assert all(os.access(programs / name, os.X_OK) for name in sources)


def test_policies_and_tables_are_there(installed: Path) -> None:
    package = installed / "sandbox"
    for built, source in (("policies", "policies"), ("conformance/tables", "sandbox/conformance/tables")):
        wanted = {path.relative_to(ROOT / source) for path in (ROOT / source).rglob("*.toml")}
        assert {path.relative_to(package / built) for path in (package / built).rglob("*.toml")} == wanted


def test_conform_in_an_empty_directory(installed: Path, tmp_path: Path) -> None:
    done = sandboxctl(installed, tmp_path, "conform", "compute")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(" rows hold\n")
    assert not list(tmp_path.iterdir())


def test_attack_in_an_empty_directory(installed: Path, tmp_path: Path) -> None:
    done = sandboxctl(installed, tmp_path, "attack", "--policy", "compute", "int80")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "1 contained, 0 ESCAPED" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("gone", "words"),
    [("conformance/prober", ["conform", "compute"]), ("attack/programs", ["attack"])],
    ids=["prober", "attacks"],
)
def test_what_is_not_there_is_one_line(gone: str, words: list[str], installed: Path, tmp_path: Path) -> None:
    shutil.copytree(
        installed / "sandbox", tmp_path / "sandbox", ignore=shutil.ignore_patterns("prober", "programs")
    )
    assert not (tmp_path / "sandbox" / gone).exists()
    done = sandboxctl(tmp_path, tmp_path, *words)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("sandboxctl: the ")
    assert "not built" in line
    assert "run `python guests/build.py" in line


# ---- wherever pip puts it ----

SITE = f"lib/python3.{sys.version_info.minor}/site-packages"


def _venv(wheel: Path, place: Path) -> tuple[Path, Path]:
    subprocess.run([BASE, "-m", "venv", "--without-pip", str(place)], check=True, timeout=HANG)
    pip(str(place / "bin" / "python"), str(wheel))
    return place / "bin", place / SITE


def _moved(wheel: Path, place: Path) -> tuple[Path, Path]:
    _venv(wheel, place / "before")
    (place / "before").rename(place / "after")
    return place / "after" / "bin", place / "after" / SITE


def _user(wheel: Path, place: Path) -> tuple[Path, Path]:
    pip(BASE, "--user", str(wheel), PYTHONUSERBASE=str(place))
    return place / "bin", place / SITE


def _target(wheel: Path, place: Path) -> tuple[Path, Path]:
    pip(BASE, "--target", str(place), str(wheel))
    return place / "bin", place


def _prefix(wheel: Path, place: Path) -> tuple[Path, Path]:
    pip(BASE, "--prefix", str(place), "--ignore-installed", str(wheel))
    [program] = place.rglob("bin/sandboxctl")
    [package] = place.rglob("sandbox/isolated.py")
    return program.parent, package.parents[1]


WAYS: dict[str, Callable[[Path, Path], tuple[Path, Path]]] = {
    "venv": _venv, "moved venv": _moved, "user": _user, "target": _target, "préfix": _prefix,
}  # fmt: skip


@pytest.fixture(scope="module", params=list(WAYS))
def programs(request: pytest.FixtureRequest, wheel: Path, place: Path) -> Path:
    """The directory of the two programs, installed in one of the ways, in a path that needs quotes."""
    where = place / f"it's “{request.param}” ünd so"
    where.mkdir()
    directory, packages = WAYS[request.param](wheel, where)
    add_needed(packages)
    return directory


def test_it_starts_isolated(programs: Path, tmp_path: Path) -> None:
    hostile = Hostile(tmp_path)
    log = tmp_path / "log"
    settings = hostile.settings()
    env = {**os.environ, **settings["rest"], **settings["user-base"], **settings["interactive"]}
    for words in (
        ["run-untrusted-binary", "--audit", str(log), "--", "/bin/echo", "hi"],
        ["sandboxctl", "audit", "verify", str(log)],
        ["sandboxctl", "policy", "check", "ostoo"],
    ):
        done = subprocess.run(
            [str(programs / words[0]), *words[1:]], cwd=hostile.place, env=env,
            capture_output=True, text=True, timeout=HANG, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout
    assert not hostile.marks()


def test_by_a_link_and_as_another_user(programs: Path) -> None:
    link = programs.parent / "link"
    link.symlink_to(programs / "run-untrusted-binary")
    if os.geteuid() == 0:
        need_python_for(ANOTHER)
    other: dict[str, Any] = (
        {"user": ANOTHER, "group": ANOTHER, "extra_groups": []} if os.geteuid() == 0 else {}
    )
    done = subprocess.run(
        [str(link), "--audit", "-", "--", "/bin/echo", "hi"], cwd="/", env={"HOME": "/nonexistent"},
        capture_output=True, text=True, timeout=HANG, check=False, **other,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "hi\n"), done.stderr


def test_only_the_two_are_programs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {
            info.filename.rpartition("/")[2]: info.external_attr >> 16 & 0o777
            for info in archive.infolist()
            if ".data/scripts/" in info.filename
        }
    assert found == {"run-untrusted-binary": 0o755, "sandboxctl": 0o755, "ostoo-sandbox-start": 0o644}


REWRITING = """
import os, subprocess, sys
def content(name, size):
    return b"\\xcc" * size if name.endswith(".so") else b"open('PWNED', 'w')\\n" * (1 + size // 19)
for directory, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(directory, name), "r+b") as file:
            file.write(content(name, os.fstat(file.fileno()).st_size))
print("rewritten", flush=True)
for _ in range(3):
    subprocess.run(["/bin/true"], check=True)
    try:
        os.chmod("/etc/passwd", 0)
    except OSError:
        pass
sys.exit(3)
"""


def test_a_guest_that_rewrites_the_tool(broken: Path, tmp_path: Path, python: str) -> None:
    """A project with the tool in it, as in a virtual environment there, under `workspace`: the run that is
    under way is what it was. (What is started there afterwards is the guest's.)"""
    add_needed(broken)
    log = tmp_path / "log"
    words = ["-p", "workspace", "--cwd", str(broken), "--audit", str(log), "--output", "1MiB", "--"]
    command = [str(broken / "bin" / "run-untrusted-binary"), *words]
    subprocess.run([*command, "/bin/true"], check=True, timeout=HANG)  # compiles what it loads
    for path in (broken, *broken.rglob("*")):
        path.chmod(0o777)
    done = subprocess.run(
        [*command, python, "-I", "-S", "-c", REWRITING, str(broken)],
        cwd=tmp_path, capture_output=True, text=True, timeout=HANG, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "rewritten\n"), done.stderr
    assert (broken / "sandbox" / "runner.py").read_bytes().startswith(b"open(")
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert records[-1]["event"] == "end"
    assert sum(record["event"] == "exec" for record in records) == 3
    assert not list(tmp_path.rglob("PWNED"))


# ---- what is wrong with an installation is one line ----


@pytest.fixture
def broken(installed: Path, tmp_path: Path) -> Path:
    """An installation of its own, without what it needs, for a Python that has nothing of that either."""
    own = tmp_path / "own"
    shutil.copytree(installed, own, ignore=shutil.ignore_patterns("programs", "prober"))
    venv = tmp_path / "venv"
    subprocess.run([BASE, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=HANG)
    start = own / "bin" / "ostoo-sandbox-start"
    start.write_text(f"#!{venv}/bin/python\n{start.read_text().partition(chr(10))[2]}")
    return own


def said(program: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=HANG, check=False)
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{program.name}: ")
    return done.returncode, line


def test_without_what_it_needs(broken: Path) -> None:
    status, line = said(broken / "bin" / "run-untrusted-binary", "--", "/bin/true")
    assert (status, "pip install cffi" in line) == (125, True)
    status, line = said(broken / "bin" / "sandboxctl", "doctor")
    assert (status, "pip install cffi" in line) == (2, True)
    add_needed(broken)
    shutil.rmtree(broken / "elftools")
    status, line = said(broken / "bin" / "run-untrusted-binary", "--audit", "/dev/null", "--", "/bin/true")
    assert (status, "pip install pyelftools" in line) == (125, True)


def test_without_its_package(broken: Path) -> None:
    (broken / "sandbox" / "isolated.py").unlink()
    status, line = said(broken / "bin" / "sandboxctl", "policy", "list")
    assert (status, "install ostoo-sandbox again" in line) == (2, True)


@pytest.mark.parametrize(
    ("first", "says"),
    [
        ("#!/nowhere/python", "/nowhere/python: No such file or directory; install ostoo-sandbox again"),
        ("#!/bin/python\x1b[31m", "?[31m: No such file"),
        ("#!/etc/passwd", "/etc/passwd: Permission denied"),
        ("#!python", "does not name the Python it was installed for"),
        ("#!/bin/sh\nexit 3", "does not name the Python it was installed for"),
        ("", "does not name the Python it was installed for"),
    ],
)
def test_without_its_python(first: str, says: str, broken: Path) -> None:
    start = broken / "bin" / "ostoo-sandbox-start"
    start.write_text(f"{first}\n")
    status, line = said(broken / "bin" / "run-untrusted-binary", "--", "/bin/true")
    assert (status, says in line) == (125, True), line


def test_copied_alone(broken: Path, tmp_path: Path) -> None:
    alone = shutil.copy2(broken / "bin" / "sandboxctl", tmp_path)
    status, line = said(Path(alone), "--help")
    assert (status, "cannot be copied alone" in line) == (2, True)


@pytest.mark.parametrize("quote", ["", "'"], ids=["plain", "quoted"])
def test_an_installer_that_starts_python_by_a_shell(quote: str, broken: Path) -> None:
    """Some write such a first line where the interpreter's path is long or has a space in it."""
    add_needed(broken)
    start = broken / "bin" / "ostoo-sandbox-start"
    rest = start.read_text().partition("\n")[2]
    start.write_text(f"#!/bin/sh\n'''exec' {quote}{BASE}{quote} \"$0\" \"$@\"\n' '''\n{rest}")
    done = subprocess.run(
        [broken / "bin" / "sandboxctl", "policy", "list"],
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_it_starts_is_no_program(broken: Path) -> None:
    start = broken / "bin" / "ostoo-sandbox-start"
    done = subprocess.run(
        [BASE, str(start), "sandboxctl"], capture_output=True, text=True, timeout=HANG, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "this is a part of ostoo-sandbox; run run-untrusted-binary or sandboxctl\n"
