"""Running what promises a policy has: its tables' rows, and the probes derived from its rules."""

from __future__ import annotations

import os
import resource
import tomllib
from collections.abc import Sequence
from typing import Literal, NamedTuple

from sandbox.conformance import compare, generated, judge, marker, tables
from sandbox.conformance.judge import Mode
from sandbox.conformance.probe import Result
from sandbox.conformance.rows import Promise, Row
from sandbox.conformance.run import Vfork, run_native, run_probes
from sandbox.errors import UsageError
from sandbox.policy.load import load
from sandbox.policy.model import Policy
from sandbox.syscalls import table

DERIVED = "what its own rules say"


class Checked(NamedTuple):
    """One row, what came of it in words, and every difference; none where it holds."""

    id: str
    says: str
    call: str
    got: str
    differences: tuple[str, ...]
    where: str = ""

    @property
    def holds(self) -> bool:
        """Whether it is as promised."""
        return not self.differences


class Part(NamedTuple):
    """Rows under one title; `notes` say what could not be tried."""

    policy: str
    title: str
    rows: tuple[Checked, ...]
    notes: tuple[str, ...] = ()


def find(target: str) -> tuple[list[str], str | None]:
    """The tables to run for what a person named, and the policy to derive probes from, if any.

    A file with `[[row]]`s is a table; anything else names a policy, whose shipped tables are taken where it
    has some.
    """
    if os.path.isfile(target) and _is_table(target):
        return [target], None
    return tables.shipped(target), target


def _is_table(path: str) -> bool:
    """Whether a file is meant as a table: its name or its rows say so. One that cannot be read is left to
    whoever reads it."""
    if path.endswith(".conform.toml"):
        return True
    try:
        with open(path, "rb") as stream:
            return "row" in tomllib.loads(stream.read(tables.MAX_BYTES).decode())
    except (OSError, ValueError, RecursionError):
        return False


def check(target: str, *, vfork: Vfork | None = None) -> list[Part]:
    """Run everything there is for a policy or a table. Raises PolicyError, UsageError, SetupError."""
    files, policy = find(target)
    if policy is not None:
        generated.check_probeable(load(policy))
    parts = check_tables(tables.load(files), vfork=vfork)
    return parts if policy is None else [*parts, derived(policy, vfork=vfork)]


def check_tables(promises: Sequence[Promise], *, vfork: Vfork | None = None) -> list[Part]:
    """Every row under its policy, all rows of a policy and an audit level together."""
    mode: Mode = "kernel" if vfork == "kernel" else "emulate"
    rows = [row for promise in promises for row in promise.rows]
    results: dict[str, Result] = {}
    for policy, level in dict.fromkeys((row.policy, row.level) for row in rows):
        some = [row for row in rows if (row.policy, row.level) == (policy, level)]
        results.update(zip([row.id for row in some], run_rows(some, vfork=vfork), strict=True))
    return [
        Part(
            promise.rows[0].policy,
            promise.title,
            tuple(_checked(row, results[row.id], mode) for row in promise.rows),
        )
        for promise in promises
    ]


def run_rows(rows: Sequence[Row], *, vfork: Vfork | None = None) -> list[Result]:
    """What comes of rows of one policy and one audit level.

    Raises PolicyError, SetupError, and UsageError where the policy keeps the prober from trying them.
    """
    policy, level = rows[0].policy, _level(rows[0].level)
    loaded = load(policy)
    generated.check_probeable(loaded)
    _check_descriptors(loaded)
    logged = next((row for row in rows if row.no_record or row.record is not None or row.events), None)
    if logged and marker.choose(loaded, level, len(rows) + 1).nr is None:
        raise UsageError(
            f"{logged.file}:{logged.line}: row {logged.id} wants records, which cannot be told apart under "
            f'{loaded.name}: it has no call that could mark them in the log (level = "all" may have)'
        )
    return run_probes(policy, [row.probe for row in rows], vfork=vfork, level=level)


def _check_descriptors(policy: Policy) -> None:
    """Raise UsageError where the caller's limit on descriptors is below the policy's, which rows expect."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    promised = policy.limits.open_files
    if promised is not None and hard != resource.RLIM_INFINITY and hard < promised:
        raise UsageError(
            f"cannot try the rows of {policy.name}: it gives programs {promised} descriptors, and the hard "
            f"limit here is {hard} (ulimit -Hn)"
        )


def differences(row: Row, result: Result, mode: Mode = "emulate") -> list[str]:
    """What is not as the row says, also where the prober could not tell."""
    return [result.lost] if result.lost else judge.differences(row, result, mode)


def check_native(promises: Sequence[Promise]) -> list[Part]:
    """The rows that make sense without a sandbox, run without one."""
    chosen = [(one, [row for row in one.rows if row.native is not None]) for one in promises]
    results = iter(run_native([row.probe for _, rows in chosen for row in rows]))
    return [
        Part("native", one.title, tuple(_checked(row, next(results), "native") for row in rows))
        for one, rows in chosen
        if rows
    ]


def _level(level: str) -> Literal["decisions", "all"]:
    return "all" if level == "all" else "decisions"


def _checked(row: Row, result: Result, mode: Mode) -> Checked:
    found = tuple(differences(row, result, mode))
    got = "nobody knows" if result.lost else judge.shown(result)
    return Checked(row.id, row.says, row.call, got, found, f"{row.file}:{row.line}")


def derived(policy: str, *, vfork: Vfork | None = None) -> Part:
    """The probes derived from a policy's own rules."""
    conformance = generated.conform(policy, vfork=vfork)
    rows = tuple(
        Checked(
            one.derived.id, compare.wanted(one.derived.verdict), table.name(one.derived.call.nr),
            compare.shown(one.result), (one.problem,) if one.problem else (),
        )
        for one in conformance.checked
    )  # fmt: skip
    skipped = tuple(
        f"{count} probe{' of' if count == 1 else 's of'} {', '.join(calls)} not made: {reason}"
        for reason, calls, count in generated.reasons(conformance.skipped)
    )
    return Part(policy, DERIVED, rows, (*conformance.notes, *skipped, *_untried(load(policy))))


def _untried(policy: Policy) -> list[str]:
    """What a policy promises beside verdicts on calls; probes are derived from these alone."""
    parts = {
        "[files]": policy.files is not None,
        "the ports of [network]": policy.network is not None
        and (policy.network.connect or policy.network.bind),
        "[limits]": any(one is not None for one in policy.limits),
        "max of [process]": policy.process.max is not None,
        "[environment]": policy.environment.keep or policy.environment.set,
    }
    named = ", ".join(part for part, is_there in parts.items() if is_there)
    return [f"no probes are derived from {named}: only rows of a table try these"] if named else []
