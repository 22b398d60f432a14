"""What no other place catches still ends as one line and 125."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from sandbox.cli import ctl, run
from sandbox.outcome import Outcome
from sandbox.runner import Result


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "out of memory"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (OSError(errno.EMFILE, "Too many open files", "/dev/null"), "/dev/null: Too many open files"),
        (OSError(), "OSError"),
        (RecursionError(), "input nested too deeply"),
    ],
)
def test_one_line_and_125(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr(run, "_run", fails)
    assert run.main(["--", "/bin/true"]) == 125
    assert capfd.readouterr().err == f"run-untrusted-binary: {line}\n"


@pytest.mark.parametrize("name", ["a\x1bb.toml", "a\\b.toml", "é.toml"])
def test_a_wrong_policy_is_told_as_sandboxctl_tells_it(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / name
    policy.write_text('schema = 1\n[calls]\nallow = ["\\u001b[2J"]\n')
    assert run.main(["-p", str(policy), "--", "/bin/true"]) == 125
    ours = capfd.readouterr().err
    assert ctl.main(["policy", "show", str(policy)]) == 2
    theirs = capfd.readouterr().err
    assert ours.removeprefix("run-untrusted-binary: ") == theirs.removeprefix("sandboxctl: ")
    assert "unknown system call '\\x1b[2J'" in ours


def test_a_warning_is_said_also_with_quiet(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    result = Result(Outcome("ok", "exit status 0", 0), 0, "no such hint", "something was left")
    monkeypatch.setattr(run, "supervise", lambda *_: result)
    assert run.main(["-q", "--", "/bin/true"]) == 0
    assert capfd.readouterr().err == "run-untrusted-binary: warning: something was left\n"
