"""Finding the built attack programs, and choosing among them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.attack.programs import INDEX, Program, find, select
from sandbox.errors import UsageError

FACTS = {
    "classes": [2, 7],
    "contained": ["errno"],
    "options": ["--cpu", "1"],
    "needs": ["terminal"],
    "ways": 3,
}


def place(directory: Path, index: object, *built: str) -> str:
    directory.mkdir()
    (directory / INDEX).write_text(index if isinstance(index, str) else json.dumps(index))
    for name in built:
        (directory / name).touch(0o755)
    return str(directory)


def test_the_first_place_with_an_index_is_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    second = place(tmp_path / "second", {"beta": FACTS, "alpha": FACTS}, "alpha", "beta")
    third = place(tmp_path / "third", {"gamma": FACTS}, "gamma")
    found = find([str(tmp_path / "none"), str(tmp_path / "empty"), second, third])
    assert [one.name for one in found] == ["alpha", "beta"]
    assert found[0] == Program(
        "alpha", f"{second}/alpha", (2, 7), frozenset({"errno"}), ("--cpu", "1"), frozenset({"terminal"}), 3
    )


def test_nothing_built(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not built: run `python guests/build"):
        find([str(tmp_path)])


@pytest.mark.parametrize(
    "index",
    [
        "",
        "[]",
        "{",
        "1",
        '{"a": 1}',
        '{"a": {}}',
        '{"a": {"classes": ["x"], "contained": [], "options": [], "needs": []}}',
        '{"a": {"classes": [1], "contained": [], "options": []}}',
        '{"a": {"classes": [1], "contained": [], "options": [], "needs": []}}',
        "{}",
    ],
)
def test_a_damaged_index_is_one_line(tmp_path: Path, index: str) -> None:
    with pytest.raises(UsageError, match=r": no .*attack programs"):
        find([place(tmp_path / "place", index)])


@pytest.fixture
def programs(tmp_path: Path) -> list[Program]:
    directory = place(tmp_path / "place", {}, "one", "two", "three")
    return [
        Program(name, f"{directory}/{name}", classes, frozenset({"errno"}))
        for name, classes in [("one", (1,)), ("two", (2, 3)), ("three", (3,)), ("unbuilt", (4,))]
    ]


@pytest.mark.parametrize(
    ("names", "classes", "chosen"),
    [
        (["one"], [], ["one"]),
        ([], [3], ["two", "three"]),
        (["one"], [2], ["one", "two"]),
        (["two", "two"], [2], ["two"]),
    ],
)
def test_choice(programs: list[Program], names: list[str], classes: list[int], chosen: list[str]) -> None:
    assert [one.name for one in select(programs, names, classes)] == chosen


@pytest.mark.parametrize(
    ("names", "classes", "message"),
    [
        (["none", "one"], [], "no such attack program: none"),
        ([], [1, 99], "no attack program tries class 99"),
        (["unbuilt"], [], "attack program unbuilt is not built"),
        ([], [], "attack program unbuilt is not built"),
    ],
)
def test_impossible_choice(
    programs: list[Program], names: list[str], classes: list[int], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        select(programs, names, classes)
