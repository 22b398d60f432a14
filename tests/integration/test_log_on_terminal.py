"""The log that an attack tries to forge, as a real terminal gets it: by `--audit -` and by `audit show`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sandbox.attack.ground import Ground
from sandbox.attack.screen import forged
from sandbox.attack.victim import Victim

ROOT = Path(__file__).resolve().parents[2]
ATTACK = ROOT / "guests" / "build" / "attacks" / "log-forging"
HANG = 120
CODE = "import sys; from sandbox.cli.{} import main; sys.exit(main())"


def on_terminal(words: list[str], directory: str) -> str:
    """What comes out of a new terminal that is the command's standard output and standard error."""
    controller, terminal = os.openpty()
    taken = bytearray()

    def take() -> None:
        try:
            while chunk := os.read(controller, 1 << 16):
                taken.extend(chunk)
        except OSError:
            pass  # EIO: nobody has the other end any more

    thread = threading.Thread(target=take)
    thread.start()
    try:
        subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal, cwd=directory, timeout=HANG,
            check=False, start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(terminal)
        thread.join(HANG)
        os.close(controller)
    return taken.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("policy", ["default", "ostoo"])
def test_what_a_terminal_gets_of_a_forged_log(tmp_path: Path, policy: str) -> None:
    with Ground("token") as ground, Victim(ground.outside, "token") as victim:
        environment = {**ground.environment(), **victim.environment()}
        words = ["-q", "-p", policy, "--cwd", ground.work]
        for name, value in environment.items():
            words += ["--env", f"{name}={value}"]
        tool = [sys.executable, "-P", "-c", CODE.format("run"), *words]
        log = tmp_path / "log.jsonl"
        live = on_terminal([*tool, "--audit", "-", "--", str(ATTACK)], ground.work)
        subprocess.run(
            [*tool, "--audit", str(log), "--", str(ATTACK)], capture_output=True, timeout=HANG, check=True
        )
    shown = on_terminal([sys.executable, "-P", "-c", CODE.format("ctl"), "audit", "show", str(log)], "/")
    said = {"try: texts that forge records", "contained: 8 texts passed to the supervisor"}
    own = [line for line in live.splitlines() if line in said or line.startswith("refused: texts that forge")]
    assert len(own) == 3
    live = "\n".join(line for line in live.splitlines() if line not in own)
    for text in (live, shown):
        assert "owned" in text, "the texts are in the log"
        assert forged(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "0.1 x\r\ny",
        "0.1 \x1b[2J",
        "0.1 \x9b31m",
        "0.1 \u202e",
        "0.1 \u2028",
        "  0.1 x\n end",
        '{"v":1}',
        "0.1 \x07",
    ],
)
def test_what_is_forged_is_seen(text: str) -> None:
    assert forged(text)


@pytest.mark.parametrize(
    "text", ["", "  0.000123 [12] \x1b[31mrefuse\x1b[0m open\r\n", "                     open  12\n"]
)
def test_our_own_lines_are_none(text: str) -> None:
    assert forged(text) == []
