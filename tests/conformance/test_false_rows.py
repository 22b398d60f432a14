"""False rows: each is reported as not holding, or refused as an error of the table that names its line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from sandbox.conformance import suite, tables
from sandbox.conformance.suite import Checked
from sandbox.errors import PolicyError

HEAD = 'schema = 1\npolicy = "ostoo"\ntitle = "T"\n'
PLACE = Path(__file__).parent / "false"
FALSE = PLACE / "false.toml"


def rows(path: Path) -> dict[str, tuple[str, str]]:
    """Id of each row in the file to the words after its [[row]] and what follows."""
    found = [chunk.partition("\n") for chunk in path.read_text().split("\n[[row]] # ")[1:]]
    return {text.split('"')[1]: (words, text) for words, _, text in found}


REFUSED, REPORTED = rows(PLACE / "refused.toml"), rows(FALSE)


@cache
def checked() -> Mapping[str, Checked]:
    """All rows at once, when the first is asked for."""
    [part] = suite.check_tables([tables.read(str(FALSE))])
    return {row.id: row for row in part.rows}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    words, text = REFUSED[name]
    key, _, message = words.partition(": ")
    with pytest.raises(PolicyError) as error:
        tables.parse(f"{HEAD}[[row]]\n{text}", "t.toml")
    assert message in str(error.value)
    assert error.value.file == "t.toml"
    lines = ["row", *(line.partition(" ")[0] for line in text.splitlines())]
    assert error.value.line == 4 + lines.index(key)


@pytest.mark.parametrize("name", REPORTED)
def test_reported(name: str) -> None:
    row = checked()[name]
    assert not row.holds
    assert any(words.startswith(REPORTED[name][0]) for words in row.differences), row.differences


POLICY = """schema = 1
name = "mine"
unlisted = "EPERM"
[calls]
allow = ["read", "write", "exit_group", "getpid"]
"""
ENDS = """id = "ends"
before = [{ call = "getpid" }]
call = "exit_group"
args = [3]
isolate = true
expect = { exit = 3 }
"""


@pytest.mark.parametrize(
    ("row", "differences"),
    [
        (ENDS, ("the process ended, and what it did before is not known",)),
        (ENDS.replace('before = [{ call = "getpid" }]\n', ""), ()),
    ],
)
def test_where_no_process_can_be_isolated(row: str, differences: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(POLICY)
    text = HEAD.replace("ostoo", "mine.toml") + f"[[row]]\n{row}"
    [part] = suite.check_tables([tables.parse(text, str(tmp_path / "mine.conform.toml"))])
    assert part.rows[0].differences == differences


def test_every_row_is_taken() -> None:
    assert len(REFUSED) == (PLACE / "refused.toml").read_text().count("\n[[row]]") > 0
    assert REPORTED.keys() == checked().keys()
