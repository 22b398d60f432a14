"""The page made of tables."""

from __future__ import annotations

from sandbox.conformance import document, tables

HEAD = 'schema = 1\npolicy = "ostoo"\ntitle = "T"\n'
ROW = '[[row]]\nid = "a"\nsays = "S"\ncall = "fork"\nexpect = "ENOSYS"\n'


def page(text: str) -> str:
    return document.markdown("p", [tables.parse(text, "t.toml")])


def test_one_row() -> None:
    text = page(HEAD + ROW)
    assert "1 row." in text
    assert "| `fork` | S | ENOSYS | `a` |" in text
    assert "| 57 | `fork` | `a` |" in text


def test_elsewhere_only_where_it_is_tried() -> None:
    assert "## Elsewhere" not in page(HEAD + ROW)
    assert "1 rows" not in page(HEAD + ROW + 'native = "same"\n')
    text = page(HEAD + ROW + 'native = { expect = "EPERM", because = "B" }\n')
    assert "| `a` | natively | EPERM | B |" in text
