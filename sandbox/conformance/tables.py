"""Files of rows: TOML text to frozen values, with errors that name file, line and what is allowed.

A `[[row]]` whose call number, rax or arguments say `{ each = … }`, `{ from = …, to = … }` or `{ flip = … }`
stands for one named row per value.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from typing import Any

from sandbox.conformance.row_reader import Head, RowReader
from sandbox.conformance.rows import Promise, Row
from sandbox.errors import PolicyError
from sandbox.policy.lines import Path
from sandbox.policy.source import Source, Table, is_int, parse_toml
from sandbox.policy.values import printable

PLACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tables")
"""Where the shipped tables are."""
MAX_BYTES = 4 << 20
MAX_ROWS = 20_000
_TOP = ("schema", "policy", "title", "says", "row")


def shipped(policy: str) -> list[str]:
    """The files of the shipped tables of a policy, in order; none where it has no table."""
    directory = os.path.join(PLACE, policy)
    if "/" in policy or not os.path.isdir(directory):
        return []
    return [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if name.endswith(".toml")]


def load(paths: Sequence[str]) -> list[Promise]:
    """The tables in these files. Raises PolicyError; also where two rows have one id."""
    promises = [read(path) for path in paths]
    seen: dict[str, Row] = {}
    for row in (row for promise in promises for row in promise.rows):
        other = seen.setdefault(row.id, row)
        if other is not row:
            where = f"{other.file}:{other.line}"
            raise PolicyError(
                f"row {row.id} stands in {where} too", file=row.file, line=row.line, allowed="another id"
            )
    return promises


def read(path: str) -> Promise:
    """The table in one file. Raises PolicyError, with file and line where there is one."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        text = content.decode()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PolicyError(f"can't read the table: {reason}", file=printable(path)) from None
    return parse(text, path)


def parse(text: str, file: str) -> Promise:
    """The table in a text; `file` is for messages, and where a policy's relative file name starts."""
    source = Source(file, text)
    data = parse_toml(source, text)
    _refuse_wide(source, (), data)
    top = Table(source, (), data)
    top.only("key", _TOP)
    top.require("schema", "policy", "title", "row")
    top.whole("schema", 1, 1)
    policy = top.text("policy")
    if policy.endswith(".toml"):
        policy = os.path.join(os.path.dirname(os.path.abspath(file)), policy)
    head = Head(policy, top.text("title"))
    rows: list[Row] = []
    for one in top.tables("row"):
        rows.extend(islice(RowReader(one, head).rows(), MAX_ROWS + 1))
        if len(rows) > MAX_ROWS:
            raise one.error(None, "the table has too many rows", f"at most {MAX_ROWS}")
    if not rows:
        raise top.error("row", "the table has no rows", "[[row]]")
    return Promise(head.title, top.text("says"), tuple(rows))


def _refuse_wide(source: Source, path: Path, value: Any) -> None:
    """Raise PolicyError about the first number that no register holds."""
    if is_int(value) and not -(1 << 63) <= value < 1 << 64:
        raise source.error(path, "a number has more than 64 bits", f"{-(1 << 63)} to {(1 << 64) - 1}")
    inner = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    for key, one in inner:
        _refuse_wide(source, (*path, key), one)
