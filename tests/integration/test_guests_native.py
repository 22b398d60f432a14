"""Each guest run natively: it sees what its first comment promises, or fails where that does not hold.

Without this a guest that always exits with 0 would pass for a working sandbox.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUESTS = ROOT / "guests"
BUILDER = GUESTS / "build.py"
HANG_GUARD = 60.0


class Row(NamedTuple):
    """One run: `command` is a guest's name and its arguments; `says` is all of its standard output."""

    flavours: str
    command: str
    status: int = 0
    says: str | None = None


SHAPES = ("alone", "waited", "ignored", "left", "orphans", "exec", "forked", "threads")
HOLDS = [
    Row("musl glibc", "spawn", says="hello from the spawned child\nchild exited with status 7\n"),
    Row("musl glibc", "spawn 200", says="200 children exited with status 0\n"),
    Row("musl glibc", "spawn-full"),
    Row("musl glibc", "trampoline native"),
    Row("musl", "linen threads", says="16 threads made and joined\n"),
    Row("musl", "linen guard", -signal.SIGSEGV, "fault in the guard page\n"),
    Row("musl glibc", "clone-wrapper threads"),
    Row("musl glibc", "clone-wrapper vfork"),
    Row("raw", "clone-regs"),
    Row("raw", "clone-flags 0x10000 stack EINVAL"),
    Row("raw", "clone-flags 0x10000 0 EINVAL"),
    Row("raw", "clone-flags 0xffffffffffffffff stack EINVAL"),
    Row("musl", "vfork-exec"),
    Row("musl", "vfork-exit"),
    Row("musl", "vfork-failed-exec"),
    Row("musl", "vfork-failed-then-exec"),
    Row("musl", "vfork-killed"),
    Row("musl", "vfork-killed term"),
    Row("musl", "vfork-segv"),
    Row("musl", "vfork-violation native"),
    Row("musl", "vfork-order"),
    Row("musl", "vfork-nested"),
    Row("musl", "vfork-nested 1"),
    Row("musl", "vfork-nested 32"),
    Row("musl", "vfork-many"),
    Row("musl", "vfork-signals", says="5 signals waited for the release\n"),
    Row("musl", "vfork-signals exec", says="5 signals waited for the release\n"),
    Row("musl", "vfork-signals ostoo", says="3 signals waited for the release\n"),
    Row("musl", "vfork-signals exec ostoo", says="3 signals waited for the release\n"),
    Row("musl", "vfork-timer"),
    Row("musl", "vfork-parent-killed"),
    Row("musl", "vfork-parent-killed storm"),
    Row("musl", "vfork-stop stop"),
    Row("musl", "vfork-stop stop-cont"),
    Row("musl", "vfork-stop group"),
    Row("musl glibc", "signals"),
    Row("musl glibc", "stop-cont"),
    Row("musl", "stubs-ostoo native"),
    Row("musl glibc", "exec-thread"),
    Row("musl glibc", "threads-many", says="200 threads ran\n"),
    Row("musl glibc", "newborn-signals 20", says="40 newborns signalled\n"),
    Row("musl glibc", "fork-tree", says="31 processes ran\n"),
    Row("musl glibc", "fork-tree 1", says="1 processes ran\n"),
    Row("musl", "bomb 4"),
    Row("musl", "hoard 8", says="8 MiB touched\n"),
    Row("musl", "flood 2", says=("x" * 63 + "\n") * 2048),
    *(Row("musl", f"spender {shape} 1 1") for shape in SHAPES),
    Row("musl glibc", "exit-codes exit 0"),
    Row("musl glibc", "exit-codes exit 255", 255),
    Row("musl glibc", "exit-codes signal 9", -signal.SIGKILL),
    Row("musl glibc", "exit-codes signal 15", -signal.SIGTERM),
    Row("musl glibc", "exit-codes abort", -signal.SIGABRT),
    Row("musl glibc", "print-args one -- three", says="one\n--\nthree\n"),
]

# What only a policy makes true: natively these guests must say so.
DOES_NOT_HOLD = [
    Row("musl glibc", "trampoline ostoo", 1),
    Row("musl", "linen refused", 1),
    Row("raw", "clone-flags 0x4111 stack ENOSYS", 1),
    Row("raw", "clone-flags 0x10000 stack ENOSYS", 1),
    Row("raw", "clone-flags fork 0 ENOSYS", 1),
    Row("raw", "clone-flags vfork 0 ENOSYS", 1),
    Row("raw", "clone-flags clone3 0 ENOSYS", 1),
    Row("musl", "vfork-violation killed", 1),
    Row("musl", "stubs-ostoo ostoo", 1),
    Row("musl", "vfork-stop", 1),
    Row("musl", "linen nonsense", 1),
    Row("musl", "busy", 1),
    Row("musl", "bomb 10", 1),
    Row("musl", "spender nonsense 1", 1),
    Row("musl glibc", "exit-codes", 1),
]

# Run by tests of their own below.
OTHERS = {
    "busy", "copy", "deaf", "echo-env", "exec-exchange", "file-errnos", "hidden-path", "orphan", "prober",
    "racing-path", "vfork-forever", "vfork-random",
}  # fmt: skip


def run_builder(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BUILDER), *arguments], capture_output=True, text=True, timeout=600, check=False
    )


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    """All guests, up to date."""
    done = run_builder()
    assert done.returncode == 0, done.stderr


@pytest.fixture(autouse=True)
def _no_core_files() -> Iterator[None]:
    """Guests that die on purpose leave no core file in the working directory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def guest(flavour: str, name: str) -> str:
    return str(GUESTS / "build" / flavour / name)


def run(row: Row, flavour: str) -> subprocess.CompletedProcess[str]:
    name, *arguments = row.command.split()
    return subprocess.run(
        [guest(flavour, name), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG_GUARD,
        check=False,
    )


def cases(rows: list[Row]) -> list[object]:
    return [
        pytest.param(row, flavour, id=f"{flavour}:{row.command.replace(' ', '_')}")
        for row in rows
        for flavour in row.flavours.split()
    ]


@pytest.mark.parametrize(("row", "flavour"), cases(HOLDS))
def test_a_guest_sees_what_it_promises(row: Row, flavour: str) -> None:
    done = run(row, flavour)
    assert (done.returncode, done.stderr) == (row.status, "")
    assert "not reached" not in done.stdout
    if row.says is not None:
        assert done.stdout == row.says


@pytest.mark.parametrize(("row", "flavour"), cases(DOES_NOT_HOLD))
def test_a_guest_fails_where_its_promise_does_not_hold(row: Row, flavour: str) -> None:
    done = run(row, flavour)
    assert done.returncode == row.status
    assert done.stderr.startswith("FAIL: ")


@pytest.mark.parametrize("mode", ["vfork", "threads"])
@pytest.mark.parametrize("flavour", ["musl", "glibc"])
def test_clone_wrapper_names_one_address_for_both_sides(flavour: str, mode: str) -> None:
    done = run(Row(flavour, f"clone-wrapper {mode}"), flavour)
    head, _, offset = done.stdout.rstrip("\n").partition("clone+")
    assert head == "both sides continued at "
    assert 0 < int(offset) < 256


@pytest.mark.parametrize("flavour", ["musl", "glibc"])
def test_copy_copies_bytes(flavour: str) -> None:
    data = bytes(range(256)) * 1024
    done = subprocess.run(
        [guest(flavour, "copy")], input=data, capture_output=True, timeout=HANG_GUARD, check=False
    )
    assert (done.returncode, done.stdout) == (0, data)


@pytest.mark.parametrize("flavour", ["musl", "glibc"])
def test_echo_env_prints_all_of_its_environment(flavour: str) -> None:
    done = subprocess.run(
        [guest(flavour, "echo-env")],
        env={"ONE": "1", "EMPTY": ""},
        capture_output=True,
        timeout=HANG_GUARD,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"ONE=1\nEMPTY=\n")


def start(name: str) -> subprocess.Popen[str]:
    """A guest that does not end by itself, in a process group of its own."""
    return subprocess.Popen(
        [guest("musl", name)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_orphan_leaves_a_grandchild_behind() -> None:
    with start("orphan") as process:
        grandchild = int(first_line(process))
        try:
            assert process.wait(HANG_GUARD) == 0
            os.kill(grandchild, 0)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_vfork_forever_holds_its_parent() -> None:
    with start("vfork-forever") as process:
        line = first_line(process)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.stdout is not None
        assert (line, process.stdout.read()) == ("the child holds its parent\n", "")
        assert process.wait(HANG_GUARD) == -signal.SIGKILL


def test_deaf_ends_by_sigkill_alone() -> None:
    with start("deaf") as process:
        line = first_line(process)
        process.send_signal(signal.SIGTERM)
        process.kill()
        assert (line, process.wait(HANG_GUARD)) == ("deaf\n", -signal.SIGKILL)


def test_busy_runs_a_program_and_says_how_it_ended() -> None:
    command = [guest("musl", "busy"), "0", guest("musl", "exit-codes"), "exit", "7"]
    assert subprocess.run(command, timeout=HANG_GUARD, check=False).returncode == 7


def test_every_guest_is_run_here() -> None:
    named = {row.command.split()[0] for row in HOLDS} | OTHERS
    assert named == {source.stem for source in GUESTS.glob("*.c")}


@pytest.mark.parametrize("row", [*HOLDS, *DOES_NOT_HOLD], ids=lambda row: row.command.replace(" ", "_"))
def test_a_row_runs_every_flavour_its_guest_is_built_as(row: Row) -> None:
    comment = (GUESTS / f"{row.command.split()[0]}.c").read_text(encoding="utf-8").partition("*/")[0]
    (declared,) = [line for line in comment.splitlines() if line.startswith(" * build:")]
    assert declared.removeprefix(" * build:").split() == row.flavours.split()


def test_the_builder_builds_nothing_twice() -> None:
    done = run_builder("-v")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_builder_names_an_unknown_guest() -> None:
    done = run_builder("no-such-guest")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "build.py: no such guest: no-such-guest (there are: bomb, busy, clone-flags, "
    )


def test_the_builder_passes_on_what_the_compiler_said(tmp_path: Path) -> None:
    copy = tmp_path / "build.py"
    copy.write_text(BUILDER.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "lib").mkdir()
    (tmp_path / "wrong.c").write_text(
        "/* build: glibc */\nint main(void) { return wrong; }\n", encoding="utf-8"
    )
    done = subprocess.run(
        [sys.executable, str(copy)], capture_output=True, text=True, timeout=HANG_GUARD, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("build.py: wrong (glibc): the compiler said:\n")
    assert "wrong" in done.stderr.partition("\n")[2]
    assert not (tmp_path / "build" / "glibc" / "wrong").exists()


@pytest.mark.parametrize("comment", ["/* no flavour */", "/* build: klibc */", "/* build: */", ""])
def test_the_builder_wants_a_flavour(tmp_path: Path, comment: str) -> None:
    copy = tmp_path / "build.py"
    copy.write_text(BUILDER.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "odd.c").write_text(f"{comment}\nint main(void) {{ return 0; }}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(copy)], capture_output=True, text=True, timeout=HANG_GUARD, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("build.py: odd.c: the first comment needs a line 'build: FLAVOUR...'")
