"""Running one attack: natively, or under a policy by the command line, as a user would."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, BinaryIO

from sandbox import isolated
from sandbox.attack.ground import Ground
from sandbox.attack.intake import intake
from sandbox.attack.natively import reasons
from sandbox.attack.programs import Program
from sandbox.attack.screen import forged
from sandbox.attack.terminal import Told, held, terminal, told
from sandbox.attack.verdict import Native, Run, Verdict, of_native, of_run
from sandbox.attack.victim import Victim
from sandbox.audit.reader import scan
from sandbox.audit.text import colored
from sandbox.audit.verifier import verify_stream
from sandbox.errors import SetupError
from sandbox.policy.load import load
from sandbox.policy.reading import from_anywhere

WALL = 30.0
"""Seconds an attack may take in the sandbox; a policy's own limit may be tighter."""
FORGES_LOG = 102
"""The class of attacks on whoever reads the log: of these the terminal's text is looked at as well."""
_NATIVE_WALL = 30.0
_PATIENCE = 30.0  # seconds on top of the wall limit until the supervisor itself is taken to hang
_SHOWN = 1 << 16  # bytes of a program's output that are looked at
_MARK = "ATTACK_RUN"
_COMMAND = "from sandbox.cli.start import run_untrusted_binary; sys.exit(run_untrusted_binary())"


def natively(program: Program) -> Native:
    """Run an attack without the sandbox, against a victim of its own. Raises SetupError.

    It runs from where it is installed: a copy in a temporary directory could be exchanged by another run of
    the same user, whose code would then run without a sandbox.
    """
    token = secrets.token_hex(8)
    with _prepared(program), Ground(token) as ground, Victim(ground.outside_here, token) as victim:
        environment = _environment(program, ground, victim, token)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            end = _told(
                program, [os.path.abspath(program.path), "native"], _NATIVE_WALL, out, err,
                cwd=ground.work_here, env={**os.environ, **environment},
            )  # fmt: skip
            end_survivors(token)
            seen = bool(end.damage()) or not _on_terminal(program)
            return of_native(
                end.status, _text(out), _text(err), ways=program.ways, seen=seen,
                known=reasons(program.name, root=os.geteuid() == 0),
            )  # fmt: skip


def under(program: Program, policy: str) -> Verdict:
    """Run an attack under a policy. Raises PolicyError where there is none of that name, SetupError."""
    wall = min(load(policy).limits.wall or WALL, WALL)
    token = secrets.token_hex(8)
    with _prepared(program), Ground(token) as ground, Victim(ground.outside_here, token) as victim:
        ground.remember()
        environment = _environment(program, ground, victim, token)
        run, damage = _supervised(program, policy, wall, ground, environment)
        evidence = [
            *ground.damage(),
            *victim.damage(),
            *(f"process {pid} of the run was left behind" for pid in end_survivors(token)),
            *damage,
        ]
        if ground.leaked_into(run.output.encode(errors="surrogateescape")):
            evidence.append("the secret was read")
        return of_run(run, program.contained, evidence, ways=program.ways)


@contextmanager
def _prepared(program: Program) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SetupError(f"{program.name}: cannot run the attack: {error}") from error


def _environment(program: Program, ground: Ground, victim: Victim, token: str) -> dict[str, str]:
    on_terminal = {"ATTACK_TERMINAL": "1"} if _on_terminal(program) else {}
    return {**ground.environment(), **victim.environment(), **on_terminal, **mark(token)}


def _on_terminal(program: Program) -> bool:
    return "terminal" in program.needs


def mark(token: str) -> dict[str, str]:
    """The variable that every process of a run has; not the token itself, which stands for the secret."""
    return {_MARK: token[::-1]}


def _supervised(
    program: Program, policy: str, wall: float, ground: Ground, environment: Mapping[str, str]
) -> tuple[Run, list[str]]:
    """The run, and what was done to its terminal and its supervisor."""
    words = [
        *isolated.command(_COMMAND), "-q", "-p", from_anywhere(policy), "--cwd", ".",
        "--timeout", f"{wall:g}", *program.options,
    ]  # fmt: skip
    for name, value in environment.items():
        words += ["--env", f"{name}={value}"]
    with (
        intake() as log,
        intake() as outcome,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        words += ["--outcome", outcome.path, "--audit", log.path, "--", ground.add(program.path)]
        end = _told(
            program, words, wall + _PATIENCE, out, err,
            cwd=ground.work_here, env=dict(os.environ), kept=(log.fd, outcome.fd),
        )  # fmt: skip
        status = 124 if end.status is None else end.status
        run = Run(status, _text(out), _text(err), _outcome(outcome.content()))
        records = log.content()
        damage = _supervisor_damage(run, records)
        shown = _shown(records) if FORGES_LOG in program.classes else []
        return run, [*end.damage(), *damage, *shown]


def _shown(log: BinaryIO) -> list[str]:
    """What of a log, as `audit show` prints it, a terminal would obey or take for another line."""
    log.seek(0)
    records = [line.record for line in scan(log) if line.record is not None]
    return forged("\n".join(text for record in records for text in colored(record)))


def _outcome(stream: BinaryIO) -> dict[str, Any]:
    try:
        outcome: dict[str, Any] = json.load(stream)
    except ValueError:
        return {}
    return outcome


def _supervisor_damage(run: Run, log: BinaryIO) -> list[str]:
    if run.status < 0:
        return [f"the supervisor was killed by {signal.Signals(-run.status).name}"]
    if run.outcome.get("status") in (None, "setup-error", "internal-error"):
        return []
    report = verify_stream(log)
    return [] if report.state == "complete" else [f"the audit log is {report.state}: {report.reason}"]


def _told(
    program: Program, words: Sequence[str], seconds: float, out: IO[bytes], err: IO[bytes], *,
    cwd: str, env: Mapping[str, str], kept: Sequence[int] = (),
) -> Told:  # fmt: skip
    """How `words` ended, which inherit `kept`: on a terminal where the program needs one."""
    if not _on_terminal(program):
        return Told(_ended(words, seconds, out, err, cwd=cwd, env=env, kept=kept), typed=False)
    with terminal() as fd, intake() as answer:
        _ended(
            held(words, seconds, kept, answer.fd), seconds + _PATIENCE, out, err,
            cwd=cwd, env=env, kept=(*kept, answer.fd), stdin=fd,
        )  # fmt: skip
        return told(answer.content())


def _ended(
    words: Sequence[str], seconds: float, out: IO[bytes], err: IO[bytes], *,
    cwd: str, env: Mapping[str, str], kept: Sequence[int], stdin: int = subprocess.DEVNULL,
) -> int | None:  # fmt: skip
    """The exit status, negative for a signal; None where it had to be ended."""
    process = subprocess.Popen(
        words, stdin=stdin, stdout=out, stderr=err, cwd=cwd, env=env, start_new_session=True,
        pass_fds=kept,
    )  # fmt: skip
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        process.kill()
        process.wait()


def end_survivors(token: str) -> list[int]:
    """Kill every process that has this run's mark in its environment; their pids."""
    [(name, value)] = mark(token).items()
    entry = f"{name}={value}".encode()
    survivors = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and entry in _environ(pid)]
    for pid in survivors:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    return survivors


def _environ(pid: str) -> bytes:
    try:
        with open(f"/proc/{pid}/environ", "rb") as stream:
            return stream.read(1 << 20)
    except OSError:
        return b""


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read(_SHOWN).decode(errors="backslashreplace")
