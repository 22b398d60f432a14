"""Every attack program: real without the sandbox, where this machine can show it, and contained in it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sandbox.attack import execute, programs, terminal
from sandbox.attack.ground import Ground
from sandbox.attack.intake import intake
from sandbox.attack.programs import Program
from sandbox.attack.terminal import Told
from sandbox.attack.verdict import Native
from sandbox.attack.victim import Victim

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(source.stem for source in (ROOT / "guests" / "attacks").glob("*.c"))
POLICIES = ("default", "ostoo", "compute", "workspace")


@cache
def program(name: str) -> Program:
    [found] = programs.select(programs.find(), [name])
    return found


@cache
def natively(name: str) -> Native:
    return execute.natively(program(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_attack_is_real(name: str) -> None:
    native = natively(name)
    assert native.state in ("works", "cannot"), native.detail
    assert native.detail != "no reason given"
    assert native.ways


def test_most_ways_are_real() -> None:
    ways = [way for name in NAMES for way in natively(name).ways]
    assert sum(way.state == "works" for way in ways) >= 0.5 * sum(way.state != "spared" for way in ways)


def test_most_attacks_can_be_shown() -> None:
    shown = [name for name in NAMES if natively(name).state == "works"]
    assert len(shown) >= 0.7 * len(NAMES)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", NAMES)
def test_contained(name: str, policy: str) -> None:
    verdict = execute.under(program(name), policy)
    assert verdict.state == "contained", verdict.detail


# ---- the harness itself: what it would see of an attack that gets through ----

LOOSE = """
schema = 1
name = "loose"
extends = "default"
[[rule]]
id = "personality-any"
call = "personality"
verdict = "allow"
"""


OPEN = """
schema = 1
name = "open"
extends = "default"
[files]
add-read = ["/"]
add-write = ["{place}"]
"""


def attacked(
    directory: Path, policy: str, name: str, *options: str, state: str = "ESCAPED"
) -> dict[str, Any]:
    """What the command tells of one attack under a policy of its own, and under `default`."""
    (directory / "loose.toml").write_text(policy)
    words = [sys.executable, "-P", "-c", "import sys; from sandbox.cli.ctl import main; sys.exit(main())"]
    words += ["attack", "--policy", "./loose.toml", "--policy", "default", "--format", "json", *options, name]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=120, check=False, cwd=directory,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    [attack] = json.loads(done.stdout)["attacks"]
    states = {name: verdict["state"] for name, verdict in attack["policies"].items()}
    assert states == {"./loose.toml": state, "default": "contained"}
    return dict(attack)


def test_a_policy_with_a_hole_is_found(tmp_path: Path) -> None:
    attacked(tmp_path, LOOSE, "personality")


def test_a_policy_that_writes_where_the_attack_is_prepared_is_judged(tmp_path: Path) -> None:
    attacked(tmp_path, OPEN.format(place=tempfile.gettempdir()), "path-spellings")


def test_a_policy_that_no_run_may_have_is_told_as_such(tmp_path: Path) -> None:
    """Everything may be written, scratch directories of other runs too."""
    attack = attacked(tmp_path, OPEN.format(place="/"), "path-spellings", state="error")
    assert "/: the guest may not write there" in attack["policies"]["./loose.toml"]["detail"]


IOCTLS = """
schema = 1
name = "ioctls"
extends = "default"
[[rule]]
id = "io"
call = "ioctl"
verdict = "allow"
"""


def may_type() -> bool:
    """Whether the kernel lets us put keys into our terminal's input (since Linux 6.2 it need not)."""
    file = Path("/proc/sys/dev/tty/legacy_tiocsti")
    return not file.exists() or file.read_text().strip() == "1"


@pytest.mark.skipif(not may_type(), reason="dev.tty.legacy_tiocsti is 0")
def test_a_policy_that_lets_a_guest_type_is_found(tmp_path: Path) -> None:
    attack = attacked(tmp_path, IOCTLS, "terminal-input", "--native")
    assert attack["native"]["state"] == "works"
    detail = attack["policies"]["./loose.toml"]["detail"]
    assert "ESCAPED: TIOCSTI" in detail
    assert "the terminal's input has keys that nobody typed" in detail


TYPES = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSTI, b'x')"
COOKS = """
import os, signal, termios
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
os.setpgid(0, 0)
os.tcsetpgrp(0, os.getpgrp())
attributes = termios.tcgetattr(0)
attributes[3] |= termios.ICANON | termios.ECHO | termios.ISIG
termios.tcsetattr(0, termios.TCSANOW, attributes)
"""


@pytest.mark.skipif(not may_type(), reason="dev.tty.legacy_tiocsti is 0")
@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("raise SystemExit(3)", Told(3, typed=False)),
        ("import os; os.write(0, b'x'); os.kill(os.getpid(), 9)", Told(-9, typed=False)),
        (TYPES, Told(0, typed=True)),
        (COOKS + TYPES, Told(0, typed=True, changed=("settings", "foreground"))),
        ("import os; os.set_blocking(0, False)", Told(0, typed=False, changed=("waiting",))),
        (TYPES + "; import time; time.sleep(1000)", Told(None, typed=True)),
    ],
)
def test_keys_in_the_terminal_are_seen(code: str, end: Told) -> None:
    with terminal.terminal() as fd, intake() as answer:
        words = terminal.held([sys.executable, "-c", code], 3, (), answer.fd)
        subprocess.run(words, stdin=fd, start_new_session=True, pass_fds=[answer.fd], timeout=120, check=True)
        assert terminal.told(answer.content()) == end


def test_a_terminal_that_is_not_given_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = "from sandbox.launch.streams import Streams; Streams.give_back = lambda self: None; "
    monkeypatch.setattr(execute, "_COMMAND", kept + execute._COMMAND)
    verdict = execute.under(program("terminal-taken"), "default")
    assert verdict.state == "ESCAPED"
    for what in ("settings", "processes in its foreground", "reads: whether they wait"):
        assert f"the terminal is left with other {what}" in verdict.detail


def test_what_is_no_answer_is_told() -> None:
    with intake() as answer, pytest.raises(OSError, match="was ended"):
        terminal.told(answer.content())


def test_an_unhurt_victim_is_seen_as_such(tmp_path: Path) -> None:
    with Victim(str(tmp_path), "token") as victim:
        assert victim.damage() == []


NATIVE_HARM = [
    ("signed-arguments", "the victim is dead"),
    ("message-address", "something reached the victim's path-dgram socket"),
    ("int80-socketcall", "something reached the victim's tcp socket"),
]


@pytest.mark.parametrize(("name", "harm"), NATIVE_HARM)
def test_harm_to_the_victim_is_seen(name: str, harm: str) -> None:
    with Ground("token") as ground, Victim(ground.outside, "token") as victim:
        ground.remember()
        done = subprocess.run(
            [program(name).path, "native"],
            env={**ground.environment(), **victim.environment()}, capture_output=True, text=True,
            timeout=120, check=False, start_new_session=True,
        )  # fmt: skip
        if done.returncode == 77:
            pytest.skip(done.stdout)
        assert any(found.startswith(harm) for found in victim.damage())


def harm_canary(ground: Ground) -> None:
    Path(ground.canary).write_text("changed\n")


def harm_mode(ground: Ground) -> None:
    Path(ground.canary).chmod(0o600)


def harm_secret(ground: Ground) -> None:
    Path(ground.secret).unlink()


def harm_directory(ground: Ground) -> None:
    (Path(ground.outside) / "new").mkdir()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (harm_canary, "the file 'canary' outside has changed"),
        (harm_mode, "the file 'canary' outside has changed (mode)"),
        (harm_secret, "the file 'secret' outside is gone"),
        (harm_directory, "the file 'new' outside is new"),
    ],
)
def test_harm_to_files_is_seen(harm: object, words: str) -> None:
    with Ground("token") as ground:
        ground.remember()
        assert ground.damage() == []
        assert callable(harm)
        harm(ground)
        assert any(found.startswith(words) for found in ground.damage())


def test_a_process_left_behind_is_found_and_ended() -> None:
    environment = execute.mark("token")
    with subprocess.Popen(["sleep", "1000"], env=environment, start_new_session=True) as left:
        while not Path(f"/proc/{left.pid}/environ").read_bytes():
            pass  # its new image is not in place yet
        found = execute.end_survivors("token")
        left.kill()
        assert found == [left.pid]
        assert left.wait(60) == -9
    assert execute.end_survivors("token") == []
