"""The summary of a run, from typed records alone."""

from __future__ import annotations

from sandbox.audit.records import CallRecord, Child, End, Record, Start, Unknown
from sandbox.report.summary import render, summarise

START = Start(0, 0, "", ["./a", "b\n"], "/", {"name": "ostoo"}, "6.1", {}, None, "decisions")


def call(seq: int, name: str, verdict: str, rule: str | None = "r") -> CallRecord:
    return CallRecord(seq, seq * 1000, 7, 7, 0, name, {}, verdict, None, rule, None)


def child(seq: int, kind: str) -> Child:
    return Child(seq, seq, 7, 8, kind, None, None, None)


def end(seq: int, **changes: object) -> End:
    base = End(seq, seq * 1000, "ok", "exited", 0, None, None, {}, {}, [], {"clone": {"allow": 3}})
    return base._replace(**changes)  # type: ignore[arg-type]


CUT: list[Record] = [
    START,
    call(1, "clone", "allow"),
    child(2, "spawn"),
    child(3, "thread"),
    call(4, "fork", "refuse", "no-fork"),
    call(5, "fork", "refuse", "no-fork"),
    call(6, "ptrace", "kill", None),
    Unknown(7, 7000, "novel", {}),
]


def test_records_add_up() -> None:
    summary = summarise(CUT)
    assert (summary.start, summary.end) == (START, None)
    assert (summary.records, summary.duration) == (8, 7000)
    assert (summary.processes, summary.threads) == (2, 1)
    assert summary.calls == {"clone": {"allow": 1}, "fork": {"refuse": 2}, "ptrace": {"kill": 1}}
    assert summary.rules == {("fork", "no-fork"): 2, ("ptrace", ""): 1}


def test_the_end_records_own_counts_are_preferred() -> None:
    assert summarise([*CUT, end(8)]).calls == {"clone": {"allow": 3}}


def test_no_records_are_a_summary_too() -> None:
    assert render(summarise([])) == [
        "outcome    unknown: the log has no end record",
        "duration   0.000000 s",
        "processes  0",
        "records    0",
    ]


def test_a_run_reads_so() -> None:
    lines = render(
        summarise([*CUT, end(8, status="signaled", exit_code=None, signal="SIGSEGV", reason="\x1b")])
    )
    assert lines == [
        r'program    "./a" "b\x0a"',
        "policy     ostoo",
        r"outcome    signaled, SIGSEGV: \x1b",
        "duration   0.000008 s",
        "processes  2, threads 1",
        "records    9",
        "",
        "call      allow",
        "clone         3",
        "",
        "refused or killed by rule:",
        "        2  fork  no-fork",
        "        1  ptrace  ",
    ]


def test_many_rules_are_cut() -> None:
    lines = render(summarise([call(n, "fork", "refuse", f"rule{n:02}") for n in range(30)]))
    assert lines[-1] == "… and 20 more"
    assert lines[-2].split() == ["1", "fork", "rule09"]


def test_a_record_that_stands_for_many_calls_counts_as_many() -> None:
    many = call(2, "kill", "refuse", "r")._replace(repeats=40)
    summary = summarise([START, call(1, "kill", "refuse", "r"), many])
    assert summary.calls == {"kill": {"refuse": 41}}
    assert summary.rules == {("kill", "r"): 41}
