"""docs/attacks.md against guests/attacks: each class has its programs, or a reason why there is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.attack.natively import table

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted((ROOT / "guests" / "attacks").glob("*.c"))
CLASSES = 134
ROW = re.compile(r"^\| (\d+) \| (.+) \|$", re.MULTILINE)


def comment(source: Path) -> str:
    return source.read_text().partition("*/")[0]


def classes_of(source: Path) -> set[int]:
    found = re.search(r"^ \* class: ([\d ]+)$", comment(source), re.MULTILINE)
    assert found, f"{source.name}: no line 'class: NUMBER...'"
    return {int(word) for word in found[1].split()}


@pytest.fixture(scope="module")
def documented() -> dict[int, str]:
    rows = ROW.findall((ROOT / "docs" / "attacks.md").read_text())
    table = {int(number): text for number, text in rows}
    assert len(table) == len(rows), "a class stands twice"
    return table


@pytest.mark.parametrize("number", range(1, CLASSES + 1))
def test_each_class_names_its_programs_or_a_reason(number: int, documented: dict[int, str]) -> None:
    trying = {source.stem for source in SOURCES if number in classes_of(source)}
    assert number in documented, f"docs/attacks.md has no row for class {number}"
    if trying:
        assert set(re.findall(r"`([^`]+)`", documented[number])) == trying
    else:
        assert len(documented[number].split()) >= 5, "a reason is needed"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_each_program_says_what_it_tries(source: Path) -> None:
    text = comment(source)
    assert classes_of(source) <= set(range(1, CLASSES + 1))
    assert re.search(r"^ \* build: (musl|glibc|raw) ?$", text, re.MULTILINE)
    assert re.search(r"^ \* contained:( (errno|killed|limit))+ ?$", text, re.MULTILINE)
    assert re.search(r"^ \* ways: [1-9]\d*$", text, re.MULTILINE)
    assert re.search(r"^ \* needs:", text, re.MULTILINE) is None or "\n * needs: terminal\n" in text
    assert re.search("[Nn]atively|kernel alone", text), "what happens natively is not said"


def test_most_classes_have_a_program() -> None:
    assert len({number for source in SOURCES for number in classes_of(source)}) >= 90


def test_the_threat_model_says_why_the_other_classes_have_none() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text()
    tried = {number for source in SOURCES for number in classes_of(source)}
    explained = {
        int(number) for number in re.findall(r"^\| (\d+), [^|]+ \| [^|]{20,} \|$", text, re.MULTILINE)
    }
    assert explained == set(range(1, CLASSES + 1)) - tried


def test_the_threat_model_names_every_program() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text()
    assert {source.stem for source in SOURCES} - set(re.findall(r"`([\w-]+)`", text)) == set()


def test_the_list_of_what_cannot_be_shown_names_programs_and_their_ways() -> None:
    sources = {source.stem: source.read_text() for source in SOURCES}
    for programs in table().values():
        for name, ways in programs.items():
            assert name in sources, f"natively.toml names {name}, which is no attack"
            for way, reason in ways.items():
                assert len(reason.split()) >= 3
                assert "*" in way or way in PUT_TOGETHER or way in sources[name], f"{name} has no way {way!r}"


# Ways whose names are put together by the program.
PUT_TOGETHER = {"/proc/PID/stack"}
