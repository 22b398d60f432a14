"""What a person names is a table or a policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.conformance import suite, tables
from sandbox.errors import PolicyError

HEAD = 'schema = 1\npolicy = "ostoo"\ntitle = "T"\n'
ROW = '[[row]]\nid = "a"\nnr = 1\nexpect = 0\n'


@pytest.mark.parametrize(
    ("name", "text", "is_table"),
    [
        ("mine.toml", HEAD + ROW, True),
        ("mine.toml", HEAD, False),
        ("mine.toml", "row = [", False),
        ("mine.conform.toml", HEAD, True),
        ("mine.conform.toml", "row = [", True),
        ("mine.conform.toml", "#" * tables.MAX_BYTES + "#", True),
    ],
)
def test_a_file(name: str, text: str, is_table: bool, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert suite.find(str(path)) == (([str(path)], None) if is_table else ([], str(path)))


@pytest.mark.parametrize(
    ("text", "words"),
    [(HEAD, "row is missing"), (f"{HEAD}row = []", "no rows"), ("#" * tables.MAX_BYTES + "#", "more than")],
)
def test_a_table_without_rows(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.conform.toml"
    path.write_text(text)
    with pytest.raises(PolicyError, match=words) as error:
        suite.check(str(path))
    assert error.value.file == str(path)


def test_a_shipped_policy() -> None:
    assert suite.find("ostoo") == (tables.shipped("ostoo"), "ostoo")
    assert suite.find("default") == ([], "default")
