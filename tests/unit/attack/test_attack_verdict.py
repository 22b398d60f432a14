"""What the end of an attack means: evidence from outside, then the program's account, then its end."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.attack.natively import WHO, reason, reasons, table
from sandbox.attack.transcript import read
from sandbox.attack.verdict import Run, Verdict, Way, of_native, of_run

ERRNO: frozenset[str] = frozenset({"errno"})
KILLED: frozenset[str] = frozenset({"killed"})
LIMIT: frozenset[str] = frozenset({"errno", "limit"})
HELD = "try: a\nrefused: a: EPERM\ntry: b\nrefused: b: ENOSYS\ncontained: both\n"


def run(status: int, output: str, ended: str | None, reason: str = "") -> Run:
    outcome: dict[str, Any] = {"status": ended, "reason": reason} if ended else {}
    return Run(status, output, "", outcome)


def error(detail: str) -> Verdict:
    return Verdict("error", "", detail)


def contained(how: str, detail: str) -> Verdict:
    return Verdict("contained", how, detail)


@pytest.mark.parametrize(
    ("ended", "allowed", "verdict"),
    [
        (run(0, HELD, "ok"), ERRNO, contained("errno", "contained: both")),
        (run(159, "try: a\n", "violation", "foreign"), KILLED, contained("killed", "foreign, at: a")),
        (run(159, HELD, "violation", "a child"), KILLED, contained("killed", "a child")),
        (run(124, "try: a\n", "limit", "wall"), LIMIT, contained("limit", "wall, at: a")),
        (run(124, "try: a\n", "limit", "wall"), ERRNO, error("status 124, limit: wall")),
        (run(159, "try: a\n", "violation", "foreign"), ERRNO, error("status 159, violation: foreign")),
        (run(1, "odd\n", "exited"), ERRNO, error("status 1, exited: odd")),
        (run(139, "try: a\n", "signaled", "SIGSEGV"), KILLED, error("status 139, signaled: SIGSEGV")),
        (run(125, "", "internal-error", "oh"), ERRNO, error("status 125, internal-error: oh")),
        (run(0, HELD, None), ERRNO, error("status 0, no outcome: contained: both")),
        (run(3, "", "ok"), ERRNO, error("status 3, ok: ")),
    ],
)
def test_verdict_of_a_run(ended: Run, allowed: frozenset[str], verdict: Verdict) -> None:
    assert of_run(ended, allowed, [], ways=2) == verdict


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("", "without a verdict of its own: "),
        ("contained: all\n", "says nothing of what it tried"),
        (HELD.replace("contained: both\n", ""), "without a verdict of its own: refused: b: ENOSYS"),
        (HELD.replace("refused: b: ENOSYS\n", ""), "no answer to: b"),
        (HELD.replace("try: b\nrefused: b: ENOSYS\n", ""), "1 of 2 ways were tried, and it does not say why"),
        ("try: c\nrefused: c: EPERM\n" + HELD, "3 ways were tried, of 2 declared"),
        (HELD + "works natively: no\n", "without a verdict of its own"),
    ],
)
def test_what_is_no_account_is_an_error(output: str, words: str) -> None:
    verdict = of_run(run(0, output, "ok"), ERRNO, [], ways=2)
    assert verdict.state == "error"
    assert words in verdict.detail


@pytest.mark.parametrize(
    ("ended", "allowed"),
    [
        (run(159, "", "violation", "early"), KILLED),
        (run(159, "try: a\nrefused: a: EPERM\n", "violation", "between"), KILLED),
        (run(124, "try: a\nrefused: a: EPERM\n", "limit", "hung"), LIMIT),
    ],
)
def test_a_death_that_is_not_in_a_way_is_an_error(ended: Run, allowed: frozenset[str]) -> None:
    verdict = of_run(ended, allowed, [], ways=2)
    assert verdict == error(f"{ended.outcome['reason']}: not while it tried something")


def test_the_rest_may_have_a_reason() -> None:
    output = "try: a\nrefused: a: EPERM\nrest: no second task\ncontained: x\n"
    assert of_run(run(0, output, "ok"), ERRNO, [], ways=9).state == "contained"
    assert of_run(run(0, "rest: no file\ncontained: x\n", "ok"), ERRNO, [], ways=9).state == "contained"


def test_a_way_tried_again_is_one() -> None:
    output = "try: a\ntry: a\nrefused: a: EPERM\ntry: a\nrefused: a: ENOENT\ncontained: x\n"
    assert read(output).ways == {"a": "EPERM"}
    assert of_run(run(0, output, "ok"), ERRNO, [], ways=1).state == "contained"


@pytest.mark.parametrize("ended", [run(0, HELD, "ok"), run(159, "try: a\n", "violation"), run(1, "", None)])
def test_evidence_outweighs_the_programs_word(ended: Run) -> None:
    verdict = of_run(ended, ERRNO, ["the victim is dead", "the secret was read"], ways=2)
    assert verdict == Verdict("ESCAPED", "", "the victim is dead; the secret was read")


@pytest.mark.parametrize("ended", ["exited", "ok", "violation"])
def test_what_it_says_itself_is_believed(ended: str) -> None:
    verdict = of_run(run(1, "ESCAPED: read\nmore\n", ended), KILLED, [], ways=1)
    assert verdict == Verdict("ESCAPED", "", "ESCAPED: read")


SHOWN = "try: a\nopen natively: a\n"
REFUSED = "try: b\ncannot: b: EPERM\n"


@pytest.mark.parametrize(
    ("status", "output", "state", "words"),
    [
        (0, SHOWN + REFUSED + "works natively: yes\n", "works", "2 ways, 1 of them real here"),
        (
            77,
            "try: b\ncannot: b: EPERM\nrest: root\ncannot be shown here: root\n",
            "cannot",
            "shown here: root",
        ),
        (0, SHOWN + "works natively: yes\n", "fails", "1 of 2 ways were tried"),
        (0, SHOWN + "try: b\nworks natively: yes\n", "fails", "no answer to: b"),
        (0, SHOWN + "try: c\ncannot: c: EIO\nworks natively: yes\n", "fails", "has no reason: c (EIO)"),
        (0, "works natively: yes\n", "fails", "says nothing of what it tried"),
        (0, SHOWN + REFUSED + "contained: no\n", "fails", "status 0: contained: no"),
        (77, "", "fails", "says nothing of what it tried"),
        (1, "does not work natively: x\n", "fails", "status 1: does not work natively: x"),
        (-11, SHOWN + REFUSED + "works natively: yes\n", "fails", "status -11: works natively: yes"),
        (None, "", "fails", "no end: "),
    ],
)
def test_verdict_of_a_native_run(status: int | None, output: str, state: str, words: str) -> None:
    native = of_native(status, output, "", ways=2, known={"b": "only root may"})
    assert native.state == state
    assert words in native.detail


def test_each_way_is_judged_natively() -> None:
    output = SHOWN + REFUSED + "try: c\nspared: c: it would hurt\nworks natively: yes\n"
    native = of_native(0, output, "", ways=3, known={"b*": "only root may"})
    assert native.ways == (
        Way("a", "works", "open"),
        Way("b", "cannot", "only root may"),
        Way("c", "spared", "it would hurt"),
    )


def test_a_native_run_that_did_nothing_has_not_worked() -> None:
    output = SHOWN + "works natively: yes\n"
    assert of_native(0, output, "", ways=1, known={}).state == "works"
    assert of_native(0, output, "", ways=1, known={}, seen=False).state == "fails"


def test_reasons_go_by_name_and_by_user() -> None:
    assert reason("a thing", {"a *": "pattern", "a thing": "name"}) == "name"
    assert reason("b", {"a*": "no"}) is None
    assert "su" in reasons("exec-setuid", root=True)
    assert "a set-user-ID copy" not in reasons("exec-setuid", root=True)
    assert "a set-user-ID copy" in reasons("exec-setuid", root=False)
    assert set(table()) <= set(WHO)
