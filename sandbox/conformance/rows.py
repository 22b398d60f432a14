"""Rows of a table as values: what is promised, and the probe that tests it."""

from __future__ import annotations

from typing import Any, NamedTuple

from sandbox.conformance.probe import Probe
from sandbox.conformance.values import Ending, Expected
from sandbox.syscalls import table


class Differs(NamedTuple):
    """What holds elsewhere (natively, with `--vfork kernel`) instead, and why that is meant."""

    expect: Expected
    because: str


UNFORETOLD = 16
"""How many bytes that nobody can foretell are never all what they were before."""


class Row(NamedTuple):
    """One promise and the probe that tests it.

    `steps` holds what is expected of steps of each level (None: nothing). `writes` is (offset, bytes) of the
    only memory that changes, `writes_some` (offset, size) where nobody can foretell the bytes; both are None
    where the row does not say: nothing may change then where the call fails, unless `writes_anything`.
    `record` and `events` are fields of audit records; `no_record` says that there is none. `family` is the id
    the table gives to all rows that one `[[row]]` stands for. `native` is None where the row is not run
    natively.
    """

    id: str
    says: str
    title: str
    policy: str
    probe: Probe
    expect: Expected
    steps: tuple[tuple[Expected | None, ...], ...] = ()
    registers: frozenset[str] = frozenset()
    child: Ending | None = None
    writes: tuple[int, bytes] | None = None
    writes_anything: bool = False
    writes_some: tuple[int, int] | None = None
    record: dict[str, Any] | None = None
    no_record: bool = False
    events: tuple[dict[str, Any], ...] = ()
    signals: tuple[str, ...] = ()
    level: str = "decisions"
    kernel: Differs | None = None
    native: Expected | Differs | None = None
    because: str = ""
    family: str = ""
    file: str = ""
    line: int = 0

    @property
    def call(self) -> str:
        """The name of the call that is judged."""
        return table.name(self.probe.nr & 0xFFFF_FFFF)


class Promise(NamedTuple):
    """A table's rows under its title, and what it says about them."""

    title: str
    says: str
    rows: tuple[Row, ...]
