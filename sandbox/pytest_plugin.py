"""pytest's door to the sandbox: the `sandboxed` fixture, the `policy` marker, conformance tables as tests.

pytest loads this file at its start in every project that has the package installed, so nothing of the
sandbox is imported before a test asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest

if TYPE_CHECKING:
    from sandbox.audit.records import CallRecord, Record
    from sandbox.conformance.probe import Result
    from sandbox.conformance.rows import Row
    from sandbox.outcome import Outcome
    from sandbox.policy.model import Policy

DEFAULT_POLICY = "default"
PATIENCE = 60.0
"""Seconds a program gets where neither the test nor the policy says how many."""
_SHOWN = 20


class Run:
    """A finished run: how it ended, what it printed, and what it tried.

    `outcome` is what `sandbox.run` returns; `stdout` and `stderr` are bytes; `log` is the audit log's path.
    """

    def __init__(self, args: Sequence[str], outcome: Outcome, log: Path) -> None:
        self.args = tuple(args)
        self.outcome = outcome
        self.log = log
        self.stdout = outcome.stdout or b""
        self.stderr = outcome.stderr or b""
        self._records: tuple[Record, ...] | None = None

    def __repr__(self) -> str:
        return f"<run of {self.args[0]}: {self.outcome.status}, {self.outcome.reason}>"

    @property
    def out(self) -> str:
        """Standard output as text; what is not UTF-8 is shown as escapes."""
        return self.stdout.decode(errors="backslashreplace")

    @property
    def err(self) -> str:
        """Standard error as text; what is not UTF-8 is shown as escapes."""
        return self.stderr.decode(errors="backslashreplace")

    @property
    def records(self) -> tuple[Record, ...]:
        """The typed records of the audit log, read when first asked for. Raises AuditError."""
        if self._records is None:
            from sandbox.audit import read

            self._records = tuple(read(str(self.log)))
        return self._records

    def calls(self, name: str | None = None, verdict: str | None = None) -> list[CallRecord]:
        """The system calls in the log, all or those with this name and this verdict, in order."""
        from sandbox.audit.records import CallRecord

        found = [record for record in self.records if isinstance(record, CallRecord)]
        return [one for one in found if name in (None, one.call) and verdict in (None, one.verdict)]

    @property
    def refused(self) -> list[CallRecord]:
        """The calls that were refused with an errno, in order."""
        return self.calls(verdict="refuse")


class Sandboxed(Protocol):
    """The `sandboxed` fixture: runs a program under a policy and waits for its end."""

    def __call__(
        self,
        args: Sequence[str | os.PathLike[str]],
        *,
        policy: str | os.PathLike[str] | Policy | None = None,
        input: bytes | str = b"",  # noqa: A002  (subprocess.run's name)
        timeout: float | None = None,
        audit_level: Literal["decisions", "all"] = "decisions",
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        vfork: str | None = None,
        waive: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> Run:
        """Run `args` under `policy` (default: the test's marker, else `default`), capture what it prints.

        `input` is its standard input. `timeout` is in seconds (default: the policy's own, else 60). The
        rest is as in `sandbox.run`, and so are the exceptions: PolicyError, UsageError, AuditError.
        """


_RUNS = pytest.StashKey[list[Run]]()


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", "policy(name_or_file): the policy that this test's `sandboxed` programs run under"
    )


@pytest.fixture
def sandboxed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sandboxed:
    """Run a program under a policy: `sandboxed(["prog", "arg"], policy="default", input=b"", timeout=5)`."""
    runs: list[Run] = request.node.stash.setdefault(_RUNS, [])
    beside = request.node.path.parent
    default = _marked(request.node)
    logs: list[Path] = []

    def run(
        args: Sequence[str | os.PathLike[str]],
        *,
        policy: str | os.PathLike[str] | Policy | None = None,
        input: bytes | str = b"",  # noqa: A002
        timeout: float | None = None,
        audit_level: Literal["decisions", "all"] = "decisions",
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        vfork: str | None = None,
        waive: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> Run:
        import sandbox

        loaded = _loaded(default if policy is None else policy, beside)
        if not logs:
            # Not in the test's own tmp_path: that is where a program is often let write.
            logs.append(tmp_path_factory.mktemp("sandboxed"))
        log = logs[0] / f"audit-{len(runs)}.jsonl"
        outcome = sandbox.run(
            args, policy=loaded, audit=log, audit_level=audit_level, capture_output=True,
            input=input.encode() if isinstance(input, str) else input,
            timeout=_patience(loaded) if timeout is None else timeout,
            cwd=cwd, env=env, vfork=vfork, waive=waive, user=user,
        )  # fmt: skip
        runs.append(Run([os.fspath(one) for one in args], outcome, log))
        return runs[-1]

    return run


def _marked(node: pytest.Item) -> str | os.PathLike[str] | Policy:
    """The policy of the nearest marker. Raises UsageError for one without one name, path or policy."""
    from sandbox.policy.model import Policy

    marker = node.get_closest_marker("policy")
    if marker is None:
        return DEFAULT_POLICY
    if len(marker.args) != 1 or marker.kwargs:
        raise pytest.UsageError(f'{node.nodeid}: @pytest.mark.policy("NAME or FILE") takes one argument')
    name: object = marker.args[0]
    if isinstance(name, str | os.PathLike | Policy):
        return name
    raise pytest.UsageError(f'{node.nodeid}: @pytest.mark.policy("NAME or FILE") takes a text or a path')


def _loaded(policy: str | os.PathLike[str] | Policy, beside: Path) -> Policy:
    """A policy by name, or from a file that is looked for beside the test."""
    from sandbox.policy.load import load
    from sandbox.policy.reading import is_file_name

    if not isinstance(policy, str | os.PathLike):
        return policy
    name = os.fspath(policy)
    return load(str(beside / name) if is_file_name(name) or isinstance(policy, os.PathLike) else name)


def _patience(policy: Policy) -> float | None:
    return PATIENCE if policy.limits.wall is None else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say of a test that failed how its programs ended and what was refused them."""
    report = yield
    if report.failed and _RUNS in item.stash:
        report.sections += [(f"sandboxed {run.args[0]}", _told(run)) for run in item.stash[_RUNS]]
    return report


def _told(run: Run) -> str:
    from sandbox.audit.text import pairs
    from sandbox.errors import AuditError

    lines = [f"{run.outcome.status}: {run.outcome.reason}"]
    try:
        refused = run.refused
    except AuditError as error:
        return "\n".join([*lines, str(error)])
    lines += [
        f"{one.call}({pairs(one.args, ', ')}) = {one.errno}, rule {one.rule}" for one in refused[-_SHOWN:]
    ]
    return "\n".join(lines)


# ---- conformance tables ----

TABLE = ".conform.toml"
"""How the name of a file ends whose rows become tests."""


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ConformanceTable | None:
    """A table of conformance rows, one test for each."""
    if not file_path.name.endswith(TABLE):
        return None
    table: ConformanceTable = ConformanceTable.from_parent(parent, path=file_path)
    return table


class ConformanceTable(pytest.File):
    """A file of rows. Those selected run together, when the first of them is asked for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._results: dict[str, Result] = {}

    def collect(self) -> Iterator[ConformanceRow]:
        """One test for each row. A table that is wrong is a collection error of one line."""
        from sandbox.conformance import tables
        from sandbox.errors import SandboxError

        try:
            rows = tables.load([str(self.path)])[0].rows
        except SandboxError as error:
            raise self.CollectError(str(error)) from None
        for row in rows:
            yield ConformanceRow.from_parent(self, name=row.id, row=row)

    def result(self, row: Row) -> Result:
        """What came of a row. Raises SandboxError where rows of its kind cannot be run."""
        if row.id not in self._results:
            self._run([one for one in self._selected() if _kind(one) == _kind(row)])
        return self._results[row.id]

    def _selected(self) -> list[Row]:
        items = (item for item in self.session.items if isinstance(item, ConformanceRow))
        return [item.row for item in items if item.parent is self]

    def _run(self, rows: list[Row]) -> None:
        from sandbox.conformance.suite import run_rows

        self._results |= {row.id: result for row, result in zip(rows, run_rows(rows), strict=True)}


def _kind(row: Row) -> tuple[str, str]:
    return row.policy, row.level


class BrokenPromiseError(Exception):
    """A row does not hold; the arguments are the differences."""


class ConformanceRow(pytest.Item):
    """One row of a table."""

    parent: ConformanceTable

    def __init__(self, *, row: Row, **options: Any) -> None:
        super().__init__(**options)
        self.row = row

    def runtest(self) -> None:
        """Compare what came of the row with what it says. Raises BrokenPromiseError."""
        from sandbox.conformance.suite import differences

        if found := differences(self.row, self.parent.result(self.row)):
            raise BrokenPromiseError(*found)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The differences, or why the row cannot be run, in a few lines instead of a traceback."""
        from sandbox.audit.text import escape
        from sandbox.errors import SandboxError

        match excinfo.value:
            case BrokenPromiseError(args=found):
                says = [self.row.says] if self.row.says else []
                where = f"{self.path.name}:{self.row.line}: row {self.row.id}"
                return "\n".join(one if one.isprintable() else escape(one) for one in (where, *says, *found))
            case SandboxError() as error:
                return f"{self.path.name}:{self.row.line}: row {self.row.id} cannot be run: {error}"
            case _:
                return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the row stands."""
        return self.path, self.row.line - 1, self.name
