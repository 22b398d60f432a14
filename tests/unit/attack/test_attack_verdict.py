"""What the end of an attack means: outside evidence, then the program's word, then how the run ended."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.attack.verdict import Native, Run, Verdict, of_native, of_run

ERRNO: frozenset[str] = frozenset({"errno"})
LIMIT: frozenset[str] = frozenset({"limit"})


def run(status: int, output: str, ended: str | None, reason: str = "") -> Run:
    outcome: dict[str, Any] = {"status": ended, "reason": reason} if ended else {}
    return Run(status, output, "", outcome)


@pytest.mark.parametrize(
    ("ended", "allowed", "verdict"),
    [
        (run(0, "contained: errno 1\n", "ok"), ERRNO, Verdict("contained", "errno", "contained: errno 1")),
        (run(159, "", "violation", "foreign"), ERRNO, Verdict("contained", "killed", "foreign")),
        (run(124, "", "limit", "wall"), LIMIT, Verdict("contained", "limit", "wall")),
        (run(124, "", "limit", "wall"), ERRNO, Verdict("error", "", "status 124, limit: wall")),
        (run(1, "ESCAPED: read\n", "exited"), ERRNO, Verdict("ESCAPED", "", "ESCAPED: read")),
        (run(0, "ESCAPED: read\nmore\n", "ok"), ERRNO, Verdict("ESCAPED", "", "ESCAPED: read")),
        (run(159, "ESCAPED: read\n", "violation"), ERRNO, Verdict("ESCAPED", "", "ESCAPED: read")),
        (run(1, "odd\n", "exited"), ERRNO, Verdict("error", "", "status 1, exited: odd")),
        (run(139, "", "signaled", "SIGSEGV"), ERRNO, Verdict("error", "", "status 139, signaled: SIGSEGV")),
        (run(125, "", "internal-error", "oh"), ERRNO, Verdict("error", "", "status 125, internal-error: oh")),
        (run(0, "contained: x\n", None), ERRNO, Verdict("error", "", "status 0, no outcome: contained: x")),
        (run(3, "", "ok"), ERRNO, Verdict("error", "", "status 3, ok: ")),
    ],
)
def test_verdict_of_a_run(ended: Run, allowed: frozenset[str], verdict: Verdict) -> None:
    assert of_run(ended, allowed, []) == verdict


@pytest.mark.parametrize(
    "ended", [run(0, "contained: all\n", "ok"), run(159, "", "violation"), run(1, "", None)]
)
def test_evidence_outweighs_the_programs_word(ended: Run) -> None:
    verdict = of_run(ended, ERRNO, ["the victim is dead", "the secret was read"])
    assert verdict == Verdict("ESCAPED", "", "the victim is dead; the secret was read")


@pytest.mark.parametrize(
    ("status", "output", "native"),
    [
        (0, "works natively: yes\n", Native("works", "works natively: yes")),
        (0, "contained: no\n", Native("fails", "status 0: contained: no")),
        (77, "cannot be shown here: root\n", Native("cannot", "cannot be shown here: root")),
        (77, "", Native("cannot", "no reason given")),
        (1, "does not work natively: x\n", Native("fails", "status 1: does not work natively: x")),
        (-11, "works natively: yes\n", Native("fails", "status -11: works natively: yes")),
        (None, "", Native("fails", "no end: ")),
    ],
)
def test_verdict_of_a_native_run(status: int | None, output: str, native: Native) -> None:
    assert of_native(status, output, "") == native


def test_a_native_run_that_did_nothing_has_not_worked() -> None:
    assert of_native(0, "works natively: yes\n", "", seen=False).state == "fails"
