"""Sizes, durations and text on one line."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.policy.values import parse_duration, parse_size, printable, quote


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (1, 1),
        (4096, 4096),
        ("4096", 4096),
        ("4096B", 4096),
        ("64KiB", 65536),
        ("64k", 65536),
        ("64 KB", 64000),
        ("512MiB", 512 << 20),
        ("2GiB", 2 << 30),
        ("1TiB", 1 << 40),
        (2**63 - 1, 2**63 - 1),
    ],
)
def test_sizes(value: Any, size: int) -> None:
    assert parse_size(value) == size


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        True,
        1.5,
        "0",
        "-1",
        "1.5MiB",
        "MiB",
        "",
        "12 apples",
        "\u0661",
        "9" * 19,
        2**63,
        "9" * 40,
        None,
        [],
    ],
)
def test_no_sizes(value: Any) -> None:
    with pytest.raises(ValueError):
        parse_size(value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (60, 60.0),
        (0.5, 0.5),
        ("60", 60.0),
        ("60s", 60.0),
        ("1.5", 1.5),
        ("250ms", 0.25),
        ("2m", 120.0),
        ("1h", 3600.0),
    ],
)
def test_durations(value: Any, seconds: float) -> None:
    assert parse_duration(value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        True,
        "0",
        "0s",
        "-1s",
        "1d",
        "s",
        "",
        "1,5",
        "1e3",
        "nan",
        float("nan"),
        float("inf"),
        1e10,
        "1" * 20,
    ],
)
def test_no_durations(value: Any) -> None:
    with pytest.raises(ValueError):
        parse_duration(value)


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ("plain", "'plain'"),
        ("a\nb\x1b[31m", "'a\\nb\\x1b[31m'"),
        ("\u202e", "'\\u202e'"),
        ("x" * 100, "'" + "x" * 60 + "…'"),
        (5, "5"),
        (-7, "-7"),
        (True, "true"),
        (1.5, "1.5"),
        ([1, 2], "a list"),
        ({"a": 1}, "a table"),
    ],
)
def test_what_was_found_is_quoted_on_one_line(found: object, shown: str) -> None:
    assert quote(found) == shown


def test_printable_text_stays_as_it_is() -> None:
    assert printable("größer als 5 €") == "größer als 5 €"


def test_a_number_python_will_not_print_in_decimal_is_shown_in_hex() -> None:
    assert quote(1 << 80000) == "0x1" + "0" * 57 + "…"
