"""Programs that are not there or cannot run here: one line, 126 or 127, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import scratch_in

GOOD = Path("/bin/true").read_bytes()


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-c", "import sys; from sandbox.cli.run import main; sys.exit(main())"]
    return subprocess.run(
        [*command, *words], capture_output=True, text=True, timeout=60, check=False, cwd=cwd
    )


def patched(at: int, data: bytes) -> bytes:
    return GOOD[:at] + data + GOOD[at + len(data) :]


FILES = {
    "empty": b"",
    "text": b"just text\n",
    "script": b"#!/bin/sh\necho not reached\n",
    "cut-in-the-header": GOOD[:40],
    "cut-in-the-program-headers": GOOD[:100],
    "cut-in-the-segments": GOOD[: len(GOOD) // 3],
    "32-bit": patched(4, b"\x01"),
    "big-endian": patched(5, b"\x02"),
    "aarch64": patched(18, b"\xb7\0"),
    "relocatable": patched(16, b"\x01\0"),
    "core": patched(16, b"\x04\0"),
    "program-headers-far-away": patched(32, (1 << 62).to_bytes(8, "little")),
    "no-program-headers": patched(56, b"\0\0"),
    "program-headers-of-odd-size": patched(54, b"\x01\0"),
    "zeros": b"\x7fELF" + bytes(4096),
    "noise": b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 16,
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_run(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    path.chmod(0o755)
    outcome = tmp_path / "outcome.json"
    done = run("--outcome", str(outcome), "--audit", str(tmp_path / "log"), "--", str(path))
    assert done.returncode == 126, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith(f"run-untrusted-binary: {path}: ")
    assert done.stderr.count("\n") == 1
    assert json.loads(outcome.read_text())["status"] == "setup-error"
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert events == ["start", "end"]


def test_other_things_that_cannot_run(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o755)
    (tmp_path / "no-permission").write_bytes(GOOD)
    (tmp_path / "no-permission").chmod(0o644)
    for name in (str(tmp_path), str(tmp_path / "fifo"), str(tmp_path / "no-permission"), "/dev/null"):
        done = run("--", name)
        assert done.returncode == 126, done.stderr
        assert done.stderr.count("\n") == 1


def test_a_missing_interpreter_is_named(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(GOOD.replace(b"/lib64/ld-linux-x86-64.so.2", b"/lib64/no-such-loader.so.99"))
    path.chmod(0o755)
    done = run("--", str(path))
    assert done.returncode == 126
    assert "/lib64/no-such-loader.so.99" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("unfit", ["/lib64", "/etc/passwd"])
def test_an_interpreter_that_is_no_program_is_named(unfit: str, tmp_path: Path) -> None:
    path = tmp_path / "program"
    name = b"/lib64/ld-linux-x86-64.so.2"
    # A slash may be doubled: the name stays as long as it was.
    directory, _, last = unfit.rpartition("/")
    padded = f"{directory}{'/' * (len(name) - len(directory) - len(last))}{last}"
    path.write_bytes(GOOD.replace(name, padded.encode()))
    path.chmod(0o755)
    done = run("--", str(path))
    assert done.returncode == 126
    assert f"; its interpreter {padded} cannot be executed" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_program_that_the_policy_does_not_let_run_is_told_by_its_option(tmp_path: Path) -> None:
    policy, program = tmp_path / "p.toml", tmp_path / "true"
    policy.write_text('schema = 1\nextends = "default"\n[files]\nexec = ["/usr/lib"]\n')
    program.write_bytes(GOOD)
    program.chmod(0o755)
    done = run("-p", str(policy), "--", str(program))
    assert done.returncode == 126
    assert done.stderr.rstrip().endswith(f"the policy does not let it be executed (see --exec {program})")
    assert run("--dry-run", "-p", str(policy), "--", str(program)).stderr == done.stderr


@pytest.mark.parametrize(
    "name", ["/no/such", "no-such-program-in-path", "", "/bin/true/x", "a" * 5000, "/" + "b" * 300]
)
def test_no_such_program(name: str) -> None:
    done = run("--", name)
    assert done.returncode in (126, 127)
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("run-untrusted-binary: ")


def test_names_cannot_steer_the_terminal(tmp_path: Path) -> None:
    done = run("--", "/no/\x1b[31mred\nline\u202eoverride")
    assert done.returncode == 127
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr
    assert "\u202e" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--",),
        ("--no-such-option", "--", "/bin/true"),
        ("-p", "no-such-policy", "--", "/bin/true"),
        ("-p", "/no/such/file.toml", "--", "/bin/true"),
        ("-p", "/dev/null", "--", "/bin/true"),
        ("--timeout", "soon", "--", "/bin/true"),
        ("--timeout", "-1", "--", "/bin/true"),
        ("--timeout", "nan", "--", "/bin/true"),
        ("--open-files", "0", "--", "/bin/true"),
        ("--open-files", "100000000", "--", "/bin/true"),
        ("--file-size", "1XB", "--", "/bin/true"),
        ("--env", "=x", "--", "/bin/true"),
        ("--waive", "wall", "--", "/bin/true"),
        ("--waive", "nothing=why", "--", "/bin/true"),
        ("--vfork", "maybe", "--", "/bin/true"),
        ("--audit", "/no/such/dir/log", "--", "/bin/true"),
        ("--audit", "/", "--", "/bin/true"),
        ("--outcome", "/no/such/dir/o", "--", "/bin/true"),
        ("--cwd", "/no/such/dir", "--", "/bin/true"),
        ("--cwd", "/bin/true", "--", "/bin/true"),
    ],
    ids=" ".join,
)
def test_wrong_command_lines(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.returncode == 125, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("run-untrusted-binary: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_options_after_the_program_are_the_guests() -> None:
    done = run("/bin/echo", "-p", "--audit", "x")
    assert (done.returncode, done.stdout) == (0, "-p --audit x\n")


def test_help_and_version() -> None:
    assert "--policy" in run("--help").stdout
    assert run("--version").stdout.startswith("run-untrusted-binary 0.")


def test_closed_standard_descriptors(python: str) -> None:
    """0 to 2 closed by the caller are closed in the guest, not taken by the supervisor's own files."""
    code = "import os,sys; sys.exit(os.path.exists('/proc/self/fd/0') or os.path.exists('/proc/self/fd/1'))"
    words = [sys.executable, "-P", "-c", "import sys; from sandbox.cli.run import main; sys.exit(main())"]
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" 0<&- 1>&-', "sh", *words, "--", python, "-I", "-S", "-c", code],
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0


MAIN = "from sandbox.cli.run import main; sys.exit(main())"


def started(prelude: str, code: str, *words: str, scratch: Path) -> subprocess.CompletedProcess[str]:
    """A run by a shell that first does `prelude`; scratch directories are made in `scratch`."""
    shell = ["/bin/sh", "-c", f'{prelude}; exec "$@"', "sh"]
    command = [*shell, sys.executable, "-P", "-c", f"import sys; {scratch_in(scratch)}; {code}", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def left(scratch: Path) -> list[Path]:
    """What runs have left of their scratch directories: nothing in any home."""
    return list(scratch.glob("*/*"))


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["run", "dry-run"])
@pytest.mark.parametrize("limit", ["-n 5", "-n 6", "-n 7"])
def test_without_descriptors_one_line_and_nothing_left(limit: str, dry: list[str], tmp_path: Path) -> None:
    words = [*dry, "--memory", "1GiB", "--output", "1MiB", "--file-size", "1MiB", "--", "/bin/true"]
    done = started(f"ulimit {limit}", MAIN, *words, scratch=tmp_path)
    assert done.returncode == 125, done.stderr
    assert done.stderr.count("\n") == 1
    assert not left(tmp_path)


@pytest.mark.parametrize("umask", ["022", "777"])
def test_a_guest_that_locks_its_scratch_directory_leaves_nothing(umask: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    script = "echo junk >$TMPDIR/file && chmod 000 $TMPDIR && stat -c %a $TMPDIR"
    done = started(f"umask {umask}", MAIN, "-p", "workspace", "--", "/bin/sh", "-c", script, scratch=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
    assert not left(tmp_path)


def test_a_scratch_directory_that_stays_is_told(tmp_path: Path) -> None:
    code = f"scratch._gone = lambda *words: False; {MAIN}"
    done = started(":", code, "--", "/bin/true", scratch=tmp_path)
    [stays] = tmp_path.glob("*/*/tmp")
    told = f"run-untrusted-binary: warning: the scratch directory {stays} could not be removed\n"
    assert (done.returncode, done.stderr) == (0, told)


def test_a_filter_around_the_sandbox_that_traces_is_named(tmp_path: Path) -> None:
    """Its stop at another call (here close_range, 436) is not taken for that of the execve."""
    code = (
        "import ctypes, struct; "
        "code = struct.pack('<HBBIHBBIHBBIHBBI', 0x20, 0, 0, 0, 0x15, 0, 1, 436, "
        "6, 0, 0, 0x7FF00000, 6, 0, 0, 0x7FFF0000); "
        "held = ctypes.create_string_buffer(code, len(code)); "
        "program = ctypes.create_string_buffer(struct.pack('<H6xQ', 4, ctypes.addressof(held)), 16); "
        "libc = ctypes.CDLL(None); "
        "assert libc.prctl(38, 1, 0, 0, 0) == 0; "
        "assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0; "
    )
    done = started(":", code + MAIN, "--", "/bin/true", scratch=tmp_path)
    told = "cannot start the guest: a filter around the sandbox traces its calls: Operation not permitted"
    assert (done.returncode, done.stderr) == (125, f"run-untrusted-binary: {told}\n")
