"""Real programs under the shipped policies `default`, `workspace` and `compute`: what they print and how they
end is what they print and how they end without the sandbox, and no call is refused that isn't expected.

A program that is not installed is skipped by its name.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import sandbox

SOURCES = Path(__file__).with_name("programs")
HANG = 120  # seconds after which a test is taken to hang; nothing is measured by it
ENV = {"HOME": os.environ.get("HOME", "/"), "LC_ALL": "C", "TZ": "UTC"}
PATH = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")

# Started by root, a guest would become another user than the native run's.
WAIVED = {"root": "compared with the native run"} if os.geteuid() == 0 else {}
SAME_USER = tuple(word for name, reason in WAIVED.items() for word in ("--waive", f"{name}={reason}"))

# A tool chain in its user's home has to be named.
HOMES = [os.path.expanduser(f"~/{directory}") for directory in (".cargo", ".rustup")]
RUST = (
    *(word for path in HOMES if os.path.isdir(path) for word in ("--read", path, "--exec", path)),
    *("--env", "RUSTUP_HOME=" + HOMES[1]),
)

Refusals = frozenset[tuple[str, str]]
NONE: Refusals = frozenset()
# A look at a user's name asks a cache daemon first, through a socket, and does without. Which programs
# look depends on the user and the C library.
NAMES: Refusals = frozenset({("socket", "local-socket"), ("socket", "named-socket")})
# git writes its index file anew, and sqlite3 opens a database for reading only, where they may not write.
WRITES: Refusals = frozenset({("openat", "files.write")})
# Programs look for configuration, and along PATH, where [files] does not let them, and do without.
LOOKS: Refusals = frozenset({("openat", "files.read"), ("open", "files.read"), ("execve", "files.exec")})
# Does the machine have IPv6? pip's libraries ask by making a socket.
IPV6: Refusals = frozenset({("socket", "no-network")})
# Older kernels have no io_uring, or forbid it; node does without.
URING: Refusals = frozenset({("io_uring_setup", "kernel-features")})


class Row(NamedTuple):
    """A program with its arguments, and the (call, rule) pairs that may be refused without harm.

    `needs` are programs it starts. Where `varies` is set, the output differs from run to run, and only has
    to hold this text.
    """

    argv: tuple[str, ...]
    refused: Refusals = NONE
    needs: tuple[str, ...] = ()
    stdin: str = ""
    varies: str = ""
    options: tuple[str, ...] = ()


def identity(row: Row) -> str:
    return " ".join(row.argv)[:60].replace("/", ":")


def find(name: str) -> str:
    """The first program of this name in PATH that is ELF (some are scripts of version managers), or skip."""
    if "/" in name:
        return name
    for directory in PATH.split(":"):
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK) and Path(path).is_file():
            with open(path, "rb") as file:
                if file.read(4) == b"\x7fELF":
                    return path
    pytest.skip(f"{name} is not installed")


DATE = 1_704_067_200  # 2024-01-01, of everything that is made to be looked at


class Place:
    """A working directory with files, made new for each run, so that both runs find the same."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def prepare(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.copytree(SOURCES, self.directory)
        lines = [f"{n * 7919 % 1000} line {'x' * (n % 40)}" for n in range(2000)]
        (self.directory / "text.txt").write_text("\n".join(lines) + "\n")
        with sqlite3.connect(self.directory / "data.db") as database:
            database.execute("create table numbers (n integer)")
            database.executemany("insert into numbers values (?)", [(n,) for n in range(100)])
        database.close()
        self.date()
        for command in ("gzip -k text.txt", "tar cf files.tar text.txt sum.c", "git init -q repository"):
            if shutil.which(command.split()[0]):
                self.do(*command.split())
        self.date()
        if shutil.which("git"):
            self.commit()

    def date(self) -> None:
        """Give all files one time, whenever they were made: programs show it."""
        for path in self.directory.iterdir():
            os.utime(path, (DATE, DATE))

    def commit(self) -> None:
        (self.directory / "repository" / "file").write_text("text\n")
        git = ("git", "-C", "repository", "-c", "user.name=A", "-c", "user.email=a@example.org")
        self.do(*git, "add", "file")
        self.do(*git, "commit", "-q", "-m", "first")

    def do(self, *words: str) -> None:
        dates = {"GIT_AUTHOR_DATE": f"{DATE} +0000", "GIT_COMMITTER_DATE": f"{DATE} +0000"}
        subprocess.run(words, cwd=self.directory, env={**ENV, **dates, "PATH": PATH}, check=True)

    def native(self, argv: tuple[str, ...], stdin: str) -> tuple[int, str, str]:
        """Exit status, output and errors without the sandbox."""
        done = subprocess.run(
            argv, cwd=self.directory, env={**ENV, "PATH": PATH}, input=stdin,
            capture_output=True, text=True, timeout=HANG, check=False,
        )  # fmt: skip
        status = done.returncode if done.returncode >= 0 else 128 - done.returncode
        return status, done.stdout, done.stderr


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path / "place")
    place.prepare()
    return place


Compare = Callable[[Row, str], None]


@pytest.fixture
def compare(run: Any, place: Place) -> Compare:
    """Run a row with and without a policy, and compare."""

    def compared(row: Row, policy: str) -> None:
        argv = (find(row.argv[0]), *row.argv[1:])
        for name in row.needs:
            find(name)
        native = place.native(argv, row.stdin)
        place.prepare()
        ran = run(
            *argv, policy=policy, stdin=row.stdin,
            options=("-q", *SAME_USER, "--cwd", str(place.directory), *row.options),
            env={**ENV, "PATH": PATH},
        )  # fmt: skip
        if row.varies:
            assert row.varies in native[1] + native[2]
            assert row.varies in ran.out + ran.err
            assert ran.status == native[0], ran.out + ran.err
        else:
            assert (ran.status, ran.out, ran.err) == native
        assert refusals(ran.records) <= row.refused | NAMES | LOOKS

    return compared


def refusals(records: list[dict[str, Any]]) -> Refusals:
    return frozenset(
        (record["call"], record["rule"]) for record in records if record.get("verdict") in ("refuse", "kill")
    )


def row(line: str, refused: Refusals = NONE, **more: Any) -> Row:
    return Row(tuple(line.split()), refused, **more)


def shell(line: str, refused: Refusals = NONE, **more: Any) -> Row:
    return Row(("bash", "-c", line), refused, **more)


DEFAULT = [
    row("ls"),
    row("ls -l"),
    row("cat text.txt"),
    row("cat", stdin="text\n"),
    row("sort -n text.txt"),
    row("sort -R --random-source=text.txt text.txt"),
    row("wc text.txt"),
    row("head -n 3 text.txt"),
    row("tail -n 3 text.txt"),
    row("uniq -c text.txt"),
    row("sha256sum text.txt sum.c"),
    row("date -u +%Y"),
    row("env -i A=1 env"),
    row("stat -c %s:%n text.txt"),
    row("find . -name *.c -size +0"),
    row("cat missing"),
    row("nice -n 5 nice"),
    row("timeout --help"),
    row("busybox ls"),
    row("busybox sha256sum text.txt"),
    row("busybox sort -n text.txt"),
    row("busybox sed -n 5p text.txt"),
    row("busybox sh -c pwd"),
    row("sqlite3 :memory: select(6*7)"),
    row("sqlite3 data.db .dump", WRITES),
    row("sqlite3 data.db create(table)", WRITES),
    row("sqlite3 -readonly data.db SELECT/**/sum(n)/**/FROM/**/numbers"),
    row("git -C repository status", WRITES),
    row("git -C repository log --stat --no-color"),
    row("git -C repository show HEAD:file"),
    row("gzip -cd text.txt.gz"),
    row("gzip -l text.txt.gz", needs=("gzip",)),
    row("openssl dgst -sha256 text.txt"),
    row("openssl speed -seconds 1 -bytes 16 sha256", varies="sha256"),
    row("python3 -I -c import(json,re,sqlite3,hashlib,math);print(1)"),
    Row(("python3", "-I", "-c", "import hashlib, json, re; print(json.dumps(sorted('text')))")),
    row("perl -ne print/**/if/1/..3 text.txt"),
    Row(("awk", "{ n += $1 } END { print n, NR }", "text.txt")),
    Row(("sed", "-n", "/line/{s/x*$//;p}", "text.txt")),
    row("grep -c x text.txt"),
    row("tar tvf files.tar"),
    row("tar xOf files.tar sum.c"),
    row("diff sum.c hello.c"),
    row("make --version"),
    row("id -u"),
]


@pytest.mark.parametrize("row", DEFAULT, ids=identity)
def test_default(row: Row, compare: Compare) -> None:
    compare(row, "default")


@pytest.mark.parametrize("name", ["copy", "print-args"])
def test_default_runs_a_static_zig_program(name: str, guest: Callable[[str], str], compare: Compare) -> None:
    compare(Row((guest(f"musl/{name}"), "a", "b c"), stdin="text\n"), "default")


def test_default_gzip_to_standard_output(tmp_path: Path) -> None:
    text, log = tmp_path / "text", tmp_path / "audit.jsonl"
    text.write_bytes(b"text " * 10000)
    argv = [find("gzip"), "-nc", str(text)]
    native = subprocess.run(argv, capture_output=True, timeout=HANG, check=True)
    outcome = sandbox.run(argv, policy="default", audit=log, capture_output=True, cwd=tmp_path, waive=WAIVED)
    assert (outcome.status, outcome.stdout, outcome.stderr) == ("ok", native.stdout, native.stderr)
    assert not refusals([json.loads(line) for line in log.read_text().splitlines()])


def test_default_keeps_the_environment_small(run: Any) -> None:
    ran = run(find("env"), policy="default", env={"SECRET": "1", "LANG": "C", "LC_TIME": "C", "PATH": PATH})
    names = {line.partition("=")[0] for line in ran.out.splitlines()}
    assert {"LANG", "LC_TIME", "PATH"} <= names
    assert "SECRET" not in names


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("cp text.txt copy", WRITES),
        ("rm -f text.txt", frozenset({("unlinkat", "files.write")})),
        ("touch text.txt", WRITES | {("utimensat", "metadata")}),
        ("mkdir made", frozenset({("mkdir", "files.write")})),
        ("git -C repository commit --allow-empty -m x", WRITES),
        ("tar xf files.tar", frozenset({("unlinkat", "files.write")})),
    ],
)
def test_default_changes_no_file(line: str, refused: Refusals, run: Any, place: Place) -> None:
    name, *arguments = line.split()
    before = sorted(path.name for path in place.directory.iterdir())
    ran = run(find(name), *arguments, policy="default", options=(*SAME_USER, "--cwd", str(place.directory)))
    assert ran.status not in (0, 125, 126, 127)
    assert refused <= refusals(ran.records)
    assert sorted(path.name for path in place.directory.iterdir()) == before


@pytest.fixture
def go_program(place: Place) -> str:
    go = find("go")
    cache = {"GOCACHE": str(place.directory / "cache"), "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    argv = [go, "build", "-o", "../hello-go", "hello.go"]
    subprocess.run(argv, cwd=place.directory, env={**os.environ, **cache}, check=True, capture_output=True)
    return str(place.directory.parent / "hello-go")


def test_go_needs_threads(go_program: str, run: Any, compare: Compare) -> None:
    """Every Go program starts a thread before its main function, which `default` doesn't allow."""
    compare(Row((go_program,)), "workspace")
    ran = run(go_program, policy="default", options=SAME_USER)
    assert ran.status == 2
    assert refusals(ran.records) - LOOKS == {("clone", "clone-flags")}
    assert "see -p workspace" in ran.err


# ---- workspace ----

WORKSPACE = [
    row("python3 -m unittest suite", varies="Ran 6 tests"),
    shell("gcc -O1 -o hello hello.c && ./hello", needs=("gcc",)),
    shell("g++ -O1 -o sum sum.cpp && echo 2 40 2 | ./sum", needs=("g++",)),
    Row(("make", "-s", "-j2")),
    Row(("make", "-s", "-j2", "cat")),
    row("git clone -q --no-hardlinks repository copy"),
    row("git clone repository copy"),
    shell("git clone -q file://$PWD/repository copy && git -C copy log --oneline", needs=("git",)),
    shell("cd repository && git checkout -q -b other && echo x >> file && git diff", needs=("git",)),
    row("node worker.js", URING),
    Row(("node", "-e", "console.log(require('fs').readdirSync('.').length)"), URING),
    shell("for n in 3 1 2; do echo $n; done | sort | { read first; echo $first; cat > rest; cat rest; }"),
    shell("diff <(sort text.txt) <(sort -r text.txt) | wc -l; kill -TERM $$"),
    shell("rustc -o hello hello.rs && ./hello", needs=("rustc",), options=RUST),
    shell("mkdir out && tar xf files.tar -C out && ls out; gzip -c text.txt | gzip -cd | cmp - text.txt"),
    shell("cp text.txt copy; chmod 600 copy; ln -s copy link; mv copy moved; rm link; touch -d @0 moved; ls"),
    row("python3 -m pip --version", IPV6),
    row("sqlite3 data.db INSERT/**/INTO/**/numbers/**/VALUES(1);SELECT/**/count(*)/**/FROM/**/numbers"),
    row("busybox zcat text.txt.gz", needs=("gzip",)),
    shell("mkfifo pipe; (echo text > pipe &) ; cat pipe; wait"),
]


@pytest.mark.parametrize("row", WORKSPACE, ids=identity)
def test_workspace(row: Row, compare: Compare) -> None:
    compare(row, "workspace")


@pytest.mark.parametrize(
    ("script", "refused"),
    [
        ("chmod u+s text.txt", {("fchmodat", "set-id")}),
        ("mknod made c 1 3", {("mknod", "make-device"), ("mknodat", "make-device")}),
        ("exec 3<> /dev/tcp/127.0.0.1/9", {("socket", "no-network")}),
    ],
)
def test_workspace_refuses(script: str, refused: set[tuple[str, str]], run: Any, place: Place) -> None:
    ran = run(
        find("bash"), "-c", script, policy="workspace", options=(*SAME_USER, "--cwd", str(place.directory))
    )
    assert ran.status == 1
    assert refusals(ran.records) & refused
    assert refusals(ran.records) <= refused | NAMES | LOOKS


def test_workspace_waives_nothing(run: Any) -> None:
    assert run(find("true"), policy="workspace").outcome["waivers"] == []


# ---- compute ----

INPUT = "5\n3 1 4 1 5\n"


def built(place: Place, source: str, *options: str) -> str:
    """The program made of one of the sources."""
    compiler = find("g++" if source.endswith(".cpp") else "gcc")
    output = place.directory.parent / "solution"
    argv = [compiler, "-O1", *options, "-o", str(output), source]
    done = subprocess.run(argv, cwd=place.directory, capture_output=True, text=True, check=False)
    if done.returncode and "-static" in options:
        pytest.skip(f"static libraries for {source} are not installed")
    assert done.returncode == 0, done.stderr
    return str(output)


@pytest.mark.parametrize("options", [(), ("-static",)], ids=["dynamic", "static"])
@pytest.mark.parametrize("source", ["sum.c", "sum.cpp"])
def test_compute(source: str, options: tuple[str, ...], place: Place, compare: Compare) -> None:
    compare(Row((built(place, source, *options),), stdin=INPUT), "compute")


def test_compute_runs_a_static_zig_program(guest: Callable[[str], str], compare: Compare) -> None:
    compare(Row((guest("musl/copy"),), stdin=INPUT), "compute")


@pytest.mark.parametrize("argv", [("sum.py",), ("-I", "sum.py"), ("-B", "-s", "-u", "sum.py")], ids=" ".join)
def test_compute_python(argv: tuple[str, ...], compare: Compare) -> None:
    compare(Row(("python3", *argv), stdin=INPUT), "compute")


@pytest.mark.parametrize(
    ("attempt", "call", "errno", "rule"),
    [
        ("append", "openat", "EROFS", "open-for-reading"),
        ("both-ways", "openat", "EROFS", "open-for-reading"),
        ("create", "openat", "EROFS", "open-for-reading"),
        ("exec", "execve", "EACCES", "one-program"),
        ("fork", "clone", "ENOSYS", "one-process"),
        ("kill", "kill", "ESRCH", "signals-outside"),
        ("limit", "prlimit64", "EPERM", "stack-limit-only"),
        ("mkdir", "mkdir", "ENOSYS", "unlisted"),
        ("socket", "socket", "EACCES", "no-network"),
        ("thread", "clone", "ENOSYS", "one-process"),
        ("unlink", "unlink", "ENOSYS", "unlisted"),
    ],
)
def test_compute_refuses(attempt: str, call: str, errno: str, rule: str, run: Any, place: Place) -> None:
    program = built(place, "tries.c", "-pthread")
    ran = run(program, attempt, policy="compute", options=(*SAME_USER, "--cwd", str(place.directory)))
    assert ran.status == 1, ran.err
    assert ran.err.startswith(f"{attempt}: ")
    [record] = ran.calls(call)
    assert (record["verdict"], record["errno"], record["rule"]) == ("refuse", errno, rule)
    assert refusals(ran.records) <= {(call, rule), ("clone3", "clone3")} | LOOKS
    assert not (place.directory / "made").exists()
    assert ran.outcome["usage"]["processes"] == 1
