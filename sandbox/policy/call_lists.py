"""`[calls]`: calls by verdict, as names and @groups."""

from __future__ import annotations

from sandbox.errors import PolicyError
from sandbox.outcome import Allow, Decision, Kill, Refuse, Return
from sandbox.policy.actions import MAX_RETURN, parse_errno
from sandbox.policy.groups import GROUPS, expand
from sandbox.policy.lines import Path
from sandbox.policy.source import Source, Table, did_you_mean
from sandbox.policy.values import quote
from sandbox.syscalls import errnos, table

KEYS = ("allow", "watch", "refuse", "return", "kill", "replace")
CALLS = "names of x86-64 system calls and of @groups"


def parse_calls(calls: Table) -> dict[int, Decision]:
    """What `[calls]` says of each call by number. A call's own name counts more than a group that holds it.

    Raises PolicyError for a name nobody knows, and for a call given two verdicts.
    """
    calls.only("key in [calls]:", KEYS)
    lists = _CallLists()
    for key, decision in (
        ("allow", Allow("calls.allow")),
        ("watch", Allow("calls.watch", watch=True)),
        ("kill", Kill("calls.kill")),
    ):
        if key in calls.data:
            lists.add(calls, key, decision)
    for key in ("refuse", "return"):
        answers = calls.table(key)
        for answer in answers.data if answers else ():
            assert answers is not None
            lists.add(answers, answer, _answer(answers, key, answer))
    return lists.grouped | lists.named


def _answer(answers: Table, key: str, answer: str) -> Decision:
    """What a key of `refuse` or `return` stands for. The filter gives these answers alone."""
    if key == "refuse":
        errno = parse_errno(answers, answer, answer, 'errnos such as "ENOSYS"')
        return Refuse(errno, "calls.refuse", recorded=False)
    try:
        value = int(answer, 0) if len(answer) <= 20 else -1
    except ValueError:
        value = -1
    if not 0 <= value <= MAX_RETURN:
        raise answers.error(answer, f"return can't be {quote(answer)}", "a number from 0 to 2**63-1")
    return Return(value, "calls.return", recorded=False)


class _CallLists:
    """Decisions by number: those of names, and those of groups."""

    def __init__(self) -> None:
        self.named: dict[int, Decision] = {}
        self.grouped: dict[int, Decision] = {}

    def add(self, place: Table, key: str, decision: Decision) -> None:
        for path, word in place.words(key, CALLS):
            into = self.grouped if word.startswith("@") else self.named
            for nr in numbers(place.source, path, word):
                if into.setdefault(nr, decision) != decision:
                    raise _contradiction(place.source, path, nr, into[nr], decision)


def _contradiction(source: Source, path: Path, nr: int, first: Decision, second: Decision) -> PolicyError:
    message = f"{table.name(nr)} has two verdicts, {_shown(first)} and {_shown(second)}"
    return source.error(path, message, "one verdict for a call (its name overrides a @group)")


def _shown(decision: Decision) -> str:
    """A decision of `[calls]` as the file writes it."""
    match decision:
        case Refuse(errno=errno):
            return f"refuse {errnos.errno_name(errno)}"
        case Return(value=value):
            return f"return {value}"
        case _:
            return decision.rule.removeprefix("calls.")


def numbers(source: Source, path: Path, word: str) -> tuple[int, ...]:
    """The call numbers a name or a @group stands for. Raises PolicyError for an unknown one."""
    if word.startswith("@"):
        if word not in GROUPS:
            known = ", ".join(sorted(GROUPS)) + did_you_mean(word, GROUPS)
            raise source.error(path, f"unknown group {quote(word)}", known)
        return tuple(nr for name in expand(word) if (nr := table.number(name)) is not None)
    nr = table.number(word)
    if nr is None:
        near = did_you_mean(word, table.NUMBERS)
        raise source.error(path, f"unknown system call {quote(word)}", f"{CALLS}{near}")
    return (nr,)
