"""A run in a few lines: what ran under which policy, how it ended, what it tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sandbox.audit.records import CallRecord, Child, End, Record, Start
from sandbox.audit.text import escape, quote, table

MAX_RULES = 10


class Summary(NamedTuple):
    """What a log's records add up to.

    `start` and `end` are None where the log has no such record. `duration` is in ns: the last record's `t`.
    `processes` counts the first process, and children that are not threads. `calls` counts recorded calls as
    {call: {verdict: count}}, or is the end record's own count where there is one; `rules` counts refused
    and killed calls as {(call, rule): count}.
    """

    start: Start | None
    end: End | None
    duration: int
    records: int
    processes: int
    threads: int
    calls: Mapping[str, Mapping[str, int]]
    rules: Mapping[tuple[str, str], int]


def summarise(records: Iterable[Record]) -> Summary:
    """Add up the records of one log. What the iterable raises passes through."""
    start: Start | None = None
    end: End | None = None
    duration = count = processes = threads = 0
    calls: dict[str, dict[str, int]] = {}
    rules: dict[tuple[str, str], int] = {}
    for record in records:
        count, duration = count + 1, record.t
        match record:
            case Start():
                start, processes = record, processes + 1
            case End():
                end = record
            case Child(kind="thread"):
                threads += 1
            case Child():
                processes += 1
            case CallRecord():
                _add(record, calls, rules)
            case _:
                pass
    return Summary(start, end, duration, count, processes, threads, end.calls if end else calls, rules)


def _add(record: CallRecord, calls: dict[str, dict[str, int]], rules: dict[tuple[str, str], int]) -> None:
    verdicts = calls.setdefault(record.call, {})
    count = max(1, record.repeats or 1)
    verdicts[record.verdict] = verdicts.get(record.verdict, 0) + count
    if record.verdict in ("refuse", "kill"):
        key = (record.call, record.rule or "")
        rules[key] = rules.get(key, 0) + count


def render(summary: Summary) -> list[str]:
    """The summary as printable lines."""
    lines = []
    if summary.start:
        lines.append(f"program    {' '.join(quote(one) for one in summary.start.argv[:16])}")
        lines.append(f"policy     {escape(str(summary.start.policy.get('name')))}")
    lines.append(f"outcome    {_outcome(summary.end)}")
    lines.append(f"duration   {summary.duration / 1e9:.6f} s")
    threads = f", threads {summary.threads}" if summary.threads else ""
    lines.append(f"processes  {summary.processes}{threads}")
    lines.append(f"records    {summary.records}")
    if summary.calls:
        lines += ["", *table(summary.calls)]
    if summary.rules:
        lines += ["", "refused or killed by rule:", *_by_rule(summary.rules)]
    return lines


def _outcome(end: End | None) -> str:
    if end is None:
        return "unknown: the log has no end record"
    code = "" if end.exit_code is None else f", exit code {end.exit_code}"
    signal = "" if end.signal is None else f", {escape(end.signal)}"
    return f"{escape(end.status)}{code}{signal}: {escape(end.reason)}"


def _by_rule(rules: Mapping[tuple[str, str], int]) -> list[str]:
    most = sorted(rules.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"{count:>9}  {escape(call)}  {escape(rule)}" for (call, rule), count in most[:MAX_RULES]]
    return lines if len(most) <= MAX_RULES else [*lines, f"… and {len(most) - MAX_RULES} more"]
