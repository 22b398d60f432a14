"""What a derived probe met, beside what the policy says of it. Pure.

Each probe runs twice: as any run goes, so that the kernel's filter answers what it can answer alone, and with
every call recorded, so that the log tells which rule decided. Both must agree with the verdict.
"""

from __future__ import annotations

from sandbox.conformance import probe
from sandbox.conformance.derive import ARENA, PROBER_PID, STACK, Derived
from sandbox.conformance.probe import Arg, Probe, Result
from sandbox.outcome import Allow, Kill, Refuse, Return, Rewrite, Verdict
from sandbox.syscalls import errnos

_SIGSYS = "SIGSYS"
_EFAULT = -14
_PLACES = {STACK: probe.stack(), ARENA: probe.arena()}


def as_probe(derived: Derived) -> Probe:
    """The derived call for the prober, addresses of its memory in their places."""
    args: tuple[Arg, ...] = tuple(_PLACES.get(value, value) for value in derived.call.args)
    return Probe(derived.call.nr, args, isolate=isinstance(derived.verdict, Kill), name=derived.id)


def problem(derived: Derived, usual: Result, recorded: Result | None, *, marked: bool = True) -> str:
    """What of the two results is not as the verdict says, one line; '' where all is.

    `usual` comes of a run that records decisions (`marked`: its records can be told apart), `recorded` of one
    that records every call; None where there was none.
    """
    verdict = derived.verdict
    if wrong := _wrong(verdict, usual):
        return wrong
    if wrong := _record(derived, usual, needed=marked and _is_recorded(verdict, every=False)):
        return wrong
    return "" if recorded is None else _problem_recorded(derived, usual, recorded)


def _problem_recorded(derived: Derived, usual: Result, recorded: Result) -> str:
    verdict = derived.verdict
    if wrong := _wrong(verdict, recorded):
        return wrong
    if wrong := _record(derived, recorded, needed=_is_recorded(verdict, every=True)):
        return wrong
    if isinstance(verdict, Allow) and not _alike(usual.rax, recorded.rax):
        return f"let run, it came back with {shown(recorded)}, but with {shown(usual)} when not recorded"
    return ""


def wanted(verdict: Verdict) -> str:
    """What the verdict promises, for people."""
    match verdict:
        case Allow():
            return "let run"
        case Refuse(errno=number):
            return errnos.errno_name(number)
        case Return(value=value):
            return "the caller's pid" if value == PROBER_PID else str(value)
        case Rewrite():
            return "let run with other arguments"
        case Kill():
            return _SIGSYS


def shown(result: Result) -> str:
    """What came of a probe, for people."""
    if result.hung:
        return "no end"
    if result.died is not None:
        return result.died
    if result.rax is None:
        return f"exit with status {result.exited}"
    return errnos.errno_name(-result.rax) if -4096 < result.rax < 0 else str(result.rax)


def _wrong(verdict: Verdict, result: Result) -> str:
    """How what the prober saw is not what the verdict promises."""
    match verdict:
        case Kill():
            good = result.died == _SIGSYS
        case Refuse(errno=number):
            good = result.rax == -number
        case Return() if _does_something(verdict):
            good = result.rax is not None
        case Return(value=value):
            good = result.rax == _EFAULT if _unreachable(verdict) else _returned(value, result.rax)
        case Allow() | Rewrite():
            good = result.rax is not None
    return "" if good else f"expected {wanted(verdict)}, got {shown(result)}"


def _returned(value: int, rax: int | None) -> bool:
    return rax is not None and (rax > 0 if value == PROBER_PID else rax == value)


def _unreachable(verdict: Return) -> bool:
    """Whether the answer needs guest memory that is not there."""
    return any(write.address != ARENA for write in verdict.writes)


def _record(derived: Derived, result: Result, *, needed: bool) -> str:
    """How the audit record is not what the verdict asks for."""
    record, rule = result.record, derived.verdict.rule
    word = _WORDS[type(derived.verdict)]
    if record is None or record.nr != derived.call.nr:
        return f"no record says that rule {rule} decided" if needed else ""
    words = (word, "refuse") if _does_something(derived.verdict) else (word,)
    if record.verdict not in words or record.rule != rule:
        return f"expected {word} by rule {rule}, the log says {record.verdict} by {record.rule}"
    return ""


def _does_something(verdict: Verdict) -> bool:
    """Whether the supervisor does something for the guest, at which it may fail."""
    return isinstance(verdict, Return) and verdict.deed is not None


def _is_recorded(verdict: Verdict, *, every: bool) -> bool:
    match verdict:
        case Kill(rule="x32"):
            return False
        case Refuse(recorded=recorded) | Return(recorded=recorded):
            return recorded or every
        case Allow(watch=watch):
            return watch or every
        case _:
            return True


_WORDS: dict[type, str] = {
    Allow: "allow",
    Refuse: "refuse",
    Return: "return",
    Rewrite: "rewrite",
    Kill: "kill",
}


def _alike(one: int | None, other: int | None) -> bool:
    """Whether two answers of the kernel are both the same error, or both none."""
    if one is None or other is None:
        return one is other
    return one == other if min(one, other) < 0 else True
