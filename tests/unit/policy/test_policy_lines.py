"""The line of every key of a TOML text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.policy.lines import MAX_DEPTH, Lines, Path

TEXT = '''# a comment with [brackets] and "quotes
top = 1
"quoted key" = 2
text = """
[not.a.table]
fake = 1 \\""" still
"""
literal = \'\'\'
[[rule]]\'\'\'

[table]
key = "a # no comment" # a comment
list = [
    "one", "two",
    # between
    "three",
    { inner = 1 }, [
        5,
    ],
]
a.b.c = 1

[[rule]]
id = "x"
when = { flags = { mask = 1,
  eq = 2 }, fd = 3 }
[rule.unless]
fd = 3
[[rule]]
id = "y"
[rule.unless]
fd = 4
[[rule.deep]]
z = 1
[[rule.deep]]
z = 2
  [ spaced . "header" ]
  k = 1979-05-27 07:32:00
  f = [1.5, inf]
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("top",), 2),
        (("quoted key",), 3),
        (("text",), 4),
        (("literal",), 8),
        (("table",), 11),
        (("table", "key"), 12),
        (("table", "list"), 13),
        (("table", "list", 0), 14),
        (("table", "list", 1), 14),
        (("table", "list", 2), 16),
        (("table", "list", 3), 17),
        (("table", "list", 3, "inner"), 17),
        (("table", "list", 4), 17),
        (("table", "list", 4, 0), 18),
        (("table", "a", "b", "c"), 21),
        (("table", "a", "b"), 21),
        (("spaced",), 37),
        (("rule", 0), 23),
        (("rule", 0, "id"), 24),
        (("rule", 0, "when", "flags", "mask"), 25),
        (("rule", 0, "when", "flags", "eq"), 26),
        (("rule", 0, "when", "fd"), 26),
        (("rule", 0, "unless"), 27),
        (("rule", 0, "unless", "fd"), 28),
        (("rule", 1), 29),
        (("rule", 1, "id"), 30),
        (("rule", 1, "unless", "fd"), 32),
        (("rule", 1, "deep", 0, "z"), 34),
        (("rule", 1, "deep", 1, "z"), 36),
        (("spaced", "header", "k"), 38),
        (("spaced", "header", "f"), 39),
        (("fake",), 1),
        (("table", "key", "no", "such"), 12),
    ],
)
def test_the_line_of_a_path(path: Path, line: int) -> None:
    assert Lines(TEXT).line(path) == line


def test_windows_line_ends_count_once() -> None:
    assert Lines("a = 1\r\n\r\n[t]\r\nb = 2\r\n").line(("t", "b")) == 4


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = " + "[" * 1000, 2),
        ("a = 1\n\nb = " + "{x=" * 1000, 3),
        (".".join("k" * 1000) + " = 1", 1),
        ("\n[" + ".".join("k" * 1000) + "]", 2),
        ("\n".join(["[a]"] * 5 + ["b = " + "[" * (MAX_DEPTH + 1)]), 6),
        ("b = " + "[" * MAX_DEPTH, 0),
    ],
)
def test_depth_is_bounded(text: str, line: int) -> None:
    assert Lines(text).too_deep == line


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet="[]{}=,.\"'#\\\n ab1"))
def test_any_text_is_read_without_an_error(text: str) -> None:
    lines = Lines(text)
    for path in ((), ("a",), ("a", "b", 0), (0, "a")):
        assert 1 <= lines.line(path) <= 1 + text.count("\n")


@pytest.mark.parametrize(
    "part", ['"', '"""', "'''", '"""\\', "a.", "[", "a=[\n", "#", "\\", '"a', "a={", "[a]\n"]
)
def test_a_megabyte_of_anything_is_read_once(part: str) -> None:
    text = part * ((1 << 20) // len(part))
    assert Lines(text).line(("x",)) >= 1
