"""Shell completion: the files know every option there is, and bash offers what fits."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from sandbox.cli import ctl
from sandbox.policy.load import shipped

COMPLETION = Path(__file__).resolve().parents[2] / "docs" / "completion"
SHELLS = {
    "bash": COMPLETION / "bash" / "sandboxctl",
    "zsh": COMPLETION / "zsh" / "_sandboxctl",
    "fish": COMPLETION / "fish" / "sandboxctl.fish",
}


def commands() -> Iterator[tuple[str, str]]:
    """Each command of sandboxctl in words, and its module."""
    for verb, about in ctl.VERBS.items():
        if about.module:
            yield verb, about.module
        for command, module in about.commands.items():
            yield f"{verb} {command}", module


def options(module: str) -> list[argparse.Action]:
    parser = argparse.ArgumentParser()
    import_module(module).configure(parser)
    return [action for action in parser._actions if action.option_strings]


def spelt(option: str, shell: str) -> str:
    """How a shell's completion file spells an option."""
    return option if shell != "fish" else f"-l {option[2:]}" if option[:2] == "--" else f"-s {option[1:]}"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("command", "module"), [*commands()])
def test_files_know_every_command_and_option(command: str, module: str, shell: str) -> None:
    text = SHELLS[shell].read_text(encoding="utf-8")
    assert command.split()[-1] in text
    for action in options(module):
        for option in action.option_strings:
            assert spelt(option, shell) in text
        for choice in action.choices or ():
            assert str(choice) in text


@pytest.mark.parametrize("shell", SHELLS)
def test_files_know_the_shipped_policies(shell: str) -> None:
    assert " ".join(shipped()) in SHELLS[shell].read_text(encoding="utf-8")


def in_bash(function: str, words: tuple[str, ...], cwd: Path) -> set[str]:
    """What bash would offer for the last of these words, the first being the program."""
    bash = shutil.which("bash")
    if not bash:
        pytest.skip("bash is not installed")
    script = (
        f'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); {function}; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        [bash, "--norc", "-c", script, "bash", str(COMPLETION / "bash" / words[0]), *words],
        capture_output=True, text=True, check=True, cwd=cwd,
    )  # fmt: skip
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(("command", "module"), [*commands()])
def test_bash_offers_every_option_of_a_command(command: str, module: str, tmp_path: Path) -> None:
    known = {option for action in options(module) for option in action.option_strings}
    assert in_bash("_sandboxctl", ("sandboxctl", *command.split(), "-"), tmp_path) == known


@pytest.mark.parametrize(("command", "module"), [*commands()])
def test_bash_offers_the_choices_of_an_option(command: str, module: str, tmp_path: Path) -> None:
    for action in options(module):
        if action.choices:
            words = ("sandboxctl", *command.split(), action.option_strings[-1], "")
            assert in_bash("_sandboxctl", words, tmp_path) == set(map(str, action.choices))


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("",), {*ctl.VERBS, "-h", "--help", "--version"}),
        (("policy", ""), {*ctl.VERBS["policy"].commands, "-h", "--help"}),
        (("audit", ""), {*ctl.VERBS["audit"].commands, "-h", "--help"}),
        (("policy", "show", "osto"), {"ostoo"}),
        (("attack", "-p", "osto"), {"ostoo"}),
        (("policy", "check", "--format", "=", "g"), {"github"}),
        (("audit", "show", "--event", "vfork-b"), {"vfork-block"}),
        (("audit", "verify", "ru"), {"run.jsonl"}),
        (("policy", "schema", ""), set()),
        (("nonsense", ""), set()),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_sandboxctl_in_bash(words: tuple[str, ...], offered: set[str], tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").touch()
    assert in_bash("_sandboxctl", ("sandboxctl", *words), tmp_path) == offered


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("--aud",), {"--audit", "--audit-level"}),
        (("--vfork", ""), {"emulate", "kernel"}),
        (("--vfork", "=", "k"), {"kernel"}),
        (("-v", "--audit-level", "d"), {"decisions"}),
        (("-p", "osto"), {"ostoo"}),
        (("--policy", "=", "ostoo", "--verb"), {"--verbose"}),
        (("--cwd", "/de"), {"/dev"}),
        (("-p", "ostoo", "--", "/bin/tru"), {"/bin/true"}),
        (("-p", "ostoo", "/bin/tru"), {"/bin/true"}),
        (("--env", "A=1", "/bin/cat", "/etc/passw"), {"/etc/passwd"}),
        (("/bin/ls", "--aud"), set()),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_run_in_bash(words: tuple[str, ...], offered: set[str], tmp_path: Path) -> None:
    found = in_bash("_run_untrusted_binary", ("run-untrusted-binary", *words), tmp_path)
    assert offered <= found
    assert all(one.startswith(words[-1]) for one in found)
    assert bool(found) == bool(offered)
