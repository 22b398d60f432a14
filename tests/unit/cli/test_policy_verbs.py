"""sandboxctl policy: what is printed, and the exit status, as a user sees them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sandbox.cli import ctl
from sandbox.policy.load import load, shipped
from sandbox.policytools.schema import text as schema_text
from sandbox.rules import SUPERVISED
from sandbox.seccomp.bpf import decode
from sandbox.seccomp.compile import compile_policy

Capture = pytest.CaptureFixture[str]
COMMAND = [sys.executable, "-m", "sandbox.cli.ctl", "policy"]

CLEAN = 'schema = 1\n[calls]\nallow = ["read"]\n'
WEAK = 'schema = 1\n[calls]\nallow = ["ptrace"]\n'
HOSTILE = 'schema = 1\ndescription = "\\u001b[2J"\n'


def policy(*words: str) -> int:
    return ctl.main(["policy", *words])


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {"clean": CLEAN, "weak": WEAK, "hostile": HOSTILE, "broken": "schema = \n"}.items():
        (tmp_path / f"{name}.toml").write_text(text)
    return tmp_path


def test_list(capsys: Capture) -> None:
    assert policy("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(shipped())
    assert all(load(line.split()[0]).description in line for line in lines)
    assert policy("list", "--format", "json") == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == list(shipped())


def test_show_is_a_policy_file(capsys: Capture) -> None:
    assert policy("show", "ostoo") == 0
    out = capsys.readouterr().out
    assert tomllib.loads(out)["name"] == "ostoo"
    assert "# " in out


def test_show_groups(capsys: Capture) -> None:
    assert policy("show", "--groups") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "@chown" in lines
    assert lines[lines.index("@chown") + 1] == "    chown fchown fchownat lchown"
    assert policy("show", "compute", "--groups") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "@memory, used by compute" in lines
    # default uses it, but compute replaces the list.
    assert "@memlock" in lines


@pytest.mark.parametrize(
    ("words", "code", "lines"),
    [
        (["clean.toml"], 0, ["1 policy checked, nothing found"]),
        (["clean.toml", "ostoo"], 0, ["2 policies checked, nothing found"]),
        (["weak.toml"], 1, ["weak.toml:3: unexplained-weakening: ", "1 policy checked, 1 finding"]),
        (["weak.toml", "weak.toml"], 1,
         ["weak.toml:3: unexplained-weakening: ", "2 policies checked, 1 finding"]),
        (["broken.toml"], 2, ["broken.toml:1: invalid: not valid TOML", "1 policy checked, 1 finding"]),
        (["hostile.toml", "weak.toml"], 2,
         [r"hostile.toml:2: invalid: ", "weak.toml:3: ", "2 policies checked, 2 f"]),
        (["--format", "github", "weak.toml"], 1,
         ["::error file=weak.toml,line=3,title=policy check%3A unexplained"]),
        (["--format", "github", "clean.toml"], 0, []),
    ],
)  # fmt: skip
def test_check(files: Path, capsys: Capture, words: list[str], code: int, lines: list[str]) -> None:
    assert policy("check", *words) == code
    out, err = capsys.readouterr()
    assert err == ""
    assert len(out.splitlines()) == len(lines)
    for told, start in zip(out.splitlines(), lines, strict=True):
        assert told.startswith(start)
        assert told.isprintable()


def test_check_json(files: Path, capsys: Capture) -> None:
    assert policy("check", "--format", "json", "weak.toml") == 1
    [one] = json.loads(capsys.readouterr().out)["findings"]
    assert (one["kind"], one["file"], one["line"]) == ("unexplained-weakening", "weak.toml", 3)
    assert policy("check", "--format", "json", "clean.toml") == 0
    assert json.loads(capsys.readouterr().out) == {"findings": []}


def test_check_says_the_rest_when_one_policy_cannot_be_read(files: Path, capsys: Capture) -> None:
    assert policy("check", "nosuch.toml", "weak.toml") == 2
    out, err = capsys.readouterr()
    assert out.startswith("weak.toml:3: ")
    assert err.startswith("sandboxctl: nosuch.toml: can't read the policy")


def test_check_json_names_a_policy_that_cannot_be_read(files: Path, capsys: Capture) -> None:
    assert policy("check", "--format", "json", "gone.toml", "clean.toml") == 2
    shown = capsys.readouterr()
    (found,) = json.loads(shown.out)["findings"]
    assert (found["kind"], found["file"], found["line"]) == ("unreadable", "gone.toml", 0)
    assert "gone.toml: can't read the policy" in shown.err


def test_check_lists_weakenings(capsys: Capture) -> None:
    assert policy("check", "--weakenings") == 0
    assert any(line.startswith("ptrace ") for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["flags=0x4111", "child_stack=0"], ["refuse EINVAL", "clone-stack (", "ostoo.toml:", "supervised"]),
        (["flags=0x4111", "child_stack=0x1000"], ["allow", "clone-spawn (", "supervised"]),
        (["flags=0x100004111"], ["refuse ENOSYS", "clone-flags (", "hint      ostoo makes processes"]),
    ],
)
def test_explain(capsys: Capture, words: list[str], parts: list[str]) -> None:
    assert policy("explain", "ostoo", "clone", *words) == 0
    out = capsys.readouterr().out
    for part in parts:
        assert part in out


def test_explain_json(capsys: Capture) -> None:
    assert policy("explain", "ostoo", "56", "flags=0", "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["call"], told["errno"], told["enforced"]) == ("clone", "ENOSYS", "supervisor")


def test_diff(files: Path, capsys: Capture) -> None:
    assert policy("diff", "clean.toml", "weak.toml") == 1
    assert capsys.readouterr().out.splitlines() == [
        "read: allow → refuse ENOSYS",
        "ptrace: refuse ENOSYS → allow",
    ]
    assert policy("diff", "clean.toml", "clean.toml") == 0
    assert capsys.readouterr().out == ""
    assert policy("diff", "--format", "json", "clean.toml", "weak.toml") == 1
    assert len(json.loads(capsys.readouterr().out)["calls"]) == 2


def test_bpf(capsys: Capture) -> None:
    assert policy("bpf", "ostoo") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(compile_policy(load("ostoo"), SUPERVISED).insns)
    assert "architecture: x86-64" in lines[0]


def test_bpf_raw_is_the_filter() -> None:
    done = subprocess.run([*COMMAND, "bpf", "--raw", "ostoo"], capture_output=True, check=True)
    assert decode(done.stdout).insns == compile_policy(load("ostoo"), SUPERVISED).insns
    assert done.stderr == b""


def test_bpf_raw_spares_a_terminal() -> None:
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            [*COMMAND, "bpf", "--raw", "ostoo"], stdout=slave, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 2
    assert done.stderr.decode() == "sandboxctl: --raw writes bytes: send them to a file or a pipe\n"


def test_schema(capsys: Capture) -> None:
    assert policy("schema") == 0
    assert capsys.readouterr().out == schema_text()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["show"], "which policy?"),
        (["show", "nosuch"], "no shipped policy named 'nosuch'"),
        (["show", "broken.toml"], "broken.toml:1: not valid TOML"),
        (["show", "./\x1b[2J.toml"], r"./\x1b[2J.toml: can't read the policy"),
        (["check"], "which policy?"),
        (["check", "nosuch"], "no shipped policy named 'nosuch'"),
        (["explain", "ostoo", "clon"], "unknown system call 'clon' (did you mean clone?)"),
        (["explain", "ostoo", "clone", "flag=1"], "clone has no argument 'flag'"),
        (["explain", "hostile.toml", "clone"], r"description can't be '\x1b[2J'"),
        (["diff", "ostoo", "nosuch"], "no shipped policy named 'nosuch'"),
        (["bpf", "broken.toml"], "broken.toml:1: not valid TOML"),
    ],
)
def test_wrong_use_is_one_line(files: Path, capsys: Capture, words: list[str], part: str) -> None:
    assert policy(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("sandboxctl: ")
    assert part in err
    assert err.endswith("\n")
    assert err[:-1].isprintable()


@pytest.mark.parametrize("words", [["explain", "ostoo"], ["diff", "ostoo"], ["bpf"], ["nosuch"], []])
def test_missing_words(capsys: Capture, words: list[str]) -> None:
    assert policy(*words) == 2
    assert "usage:" in capsys.readouterr().err
