"""How a guest's strings are shown in a record."""

from __future__ import annotations

import pytest

from sandbox.supervisor.images import SHOWN_OF_LONG, shown


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        (b"/a b", "/a b"),
        (b"\xff", "\\xff"),
        (b"x" * SHOWN_OF_LONG, "x" * SHOWN_OF_LONG),
        (b"x" * (SHOWN_OF_LONG + 1), "x" * SHOWN_OF_LONG + f"… ({SHOWN_OF_LONG + 1} bytes)"),
        (b"x" * 4095, "x" * SHOWN_OF_LONG + "… (4095 bytes)"),
    ],
)
def test_a_long_string_is_shown_by_its_beginning(raw: bytes, text: str) -> None:
    assert shown(raw) == text
