"""`sandboxctl policy import-oci` and `export-oci` as a user sees them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.cli import ctl
from sandbox.oci.profile import parse_kernel
from sandbox.policy.load import load, loads

Capture = pytest.CaptureFixture[str]
EXACT = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["reboot"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_BOOT"]}},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
    ],
}
INEXACT = {"defaultAction": "SCMP_ACT_TRAP", "flags": ["SECCOMP_FILTER_FLAG_LOG"]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "exact.json"
    path.write_text(json.dumps(EXACT))
    return path


def test_an_exact_import_is_silent(file: Path, capsys: Capture) -> None:
    assert ctl.main(["policy", "import-oci", str(file)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert loads(out).name == "exact"


def test_what_is_lost_is_told_and_ends_with_1(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(INEXACT))
    assert ctl.main(["policy", "import-oci", str(path)]) == 1
    out, err = capsys.readouterr()
    assert loads(out).unlisted.rule == "unlisted"
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[0] == "sandboxctl: not exact: SECCOMP_FILTER_FLAG_LOG: no policy sets it"
    assert "defaultAction SCMP_ACT_TRAP" in lines[1]


def test_into_a_file(oci: Any, file: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "out.toml"
    words = ["policy", "import-oci", str(file), "-o", str(target), "--name", "mine", "--cap", "CAP_SYS_BOOT"]
    assert ctl.main([*words, "--kernel", "4.7"]) == 0
    assert capsys.readouterr() == ("", "")
    policy = load(str(target))
    assert policy.name == "mine"
    assert [oci.verdict(policy, call) for call in ("read", "reboot", "ptrace")] == ["allow", "allow", "1"]


def test_from_standard_input(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    with file.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert ctl.main(["policy", "import-oci", "-"]) == 0
    assert loads(capsys.readouterr().out).name == "imported"


def test_a_closed_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert ctl.main(["policy", "import-oci", "-"]) == 2
    assert capsys.readouterr().err == "sandboxctl: standard input is closed\n"


WRONG: list[tuple[list[str], str]] = [
    (["import-oci", "/nonexistent.json"], "/nonexistent.json: can't read the profile"),
    (["import-oci", "/dev/null"], "allowed here: a regular file"),
    (["import-oci", "{file}", "--cap", "SYS_ADMIN"], "--cap 'SYS_ADMIN' is no capability"),
    (["import-oci", "{file}", "--kernel", "new"], "--kernel 'new' is no version"),
    (["import-oci", "{file}", "--name", "a b"], "--name must be"),
    (["import-oci", "{file}", "-o", "/nonexistent/x"], "can't write /nonexistent/x: No such file"),
    (["import-oci", "{bad}"], "syscalls[0].args[0].op: it can't be 'EQ'"),
    (["export-oci", "no-such-policy"], "there is no shipped policy named"),
    (["export-oci", "ostoo", "-o", "/nonexistent/x"], "can't write /nonexistent/x"),
]


@pytest.mark.parametrize(("words", "says"), WRONG)
def test_wrong_use_is_one_line_and_2(file: Path, words: list[str], says: str, capsys: Capture) -> None:
    bad = file.with_name("bad.json")
    arg = {"index": 0, "value": 0, "op": "EQ"}
    entry = {"names": ["dup"], "action": "SCMP_ACT_ALLOW", "args": [arg]}
    bad.write_text(json.dumps({"defaultAction": "SCMP_ACT_KILL", "syscalls": [entry]}))
    assert ctl.main(["policy", *(word.format(file=file, bad=bad) for word in words)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("sandboxctl: ")
    assert err.count("\n") == 1
    assert says in err


def test_an_export_names_what_it_loses(capsys: Capture) -> None:
    assert ctl.main(["policy", "export-oci", "ostoo"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["architectures"] == ["SCMP_ARCH_X86_64"]
    assert "exec-elf (execve): emulate elf-exec: refused with ENOSYS" in err
    assert all(line.startswith("sandboxctl: not exact: ") for line in err.splitlines())


def test_an_exact_export_into_a_file(tmp_path: Path, capsys: Capture) -> None:
    policy = tmp_path / "small.toml"
    policy.write_text('schema = 1\n[calls]\nallow = ["read"]\n')
    target = tmp_path / "small.json"
    assert ctl.main(["policy", "export-oci", str(policy), "-o", str(target)]) == 0
    assert capsys.readouterr() == ("", "")
    assert json.loads(target.read_text())["syscalls"][0]["names"] == ["read"]


def test_what_was_exported_is_imported(tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "ostoo.json"
    assert ctl.main(["policy", "export-oci", "ostoo", "-o", str(target)]) == 1
    assert ctl.main(["policy", "import-oci", str(target)]) == 0
    assert loads(capsys.readouterr().out).name == "ostoo"


KERNELS = [
    ("4.8", (4, 8)),
    ("6.1.0-13-amd64", (6, 1)),
    ("3.12-1-amd64", (3, 12)),
    ("6.18.5+", (6, 18)),
    ("new", None),
    ("6", None),
    ("", None),
    ("6.", None),
    ("v6.1", None),
    ("1234567.1", None),
    ("٤.٨", None),
]  # fmt: skip


@pytest.mark.parametrize(("release", "expected"), KERNELS)
def test_kernel_versions(release: str, expected: tuple[int, int] | None) -> None:
    assert parse_kernel(release) == expected
