"""sandboxctl conform as a person or a CI uses it, and the page made from the tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sandbox.conformance import document, tables
from tests.integration.conftest import HANG, ROOT

TABLE = """schema = 1
policy = "ostoo"
title = "Mine"
[[row]]
id = "mine"
says = "forking is refused"
call = "fork"
expect = "{expect}"
native = {{ expect = "child", because = "Linux forks" }}
"""


MAIN = "import sys; from sandbox.cli.ctl import main; sys.exit(main())"


def conform(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, "conform", *words],
        capture_output=True, text=True, timeout=HANG, check=False, cwd=cwd,
    )  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


@pytest.mark.parametrize("mode", ["emulate", "kernel"])
def test_a_table_that_holds(mode: str, table: Path) -> None:
    table.write_text(TABLE.format(expect="ENOSYS"))
    done = conform("--vfork", mode, str(table))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "all 1 rows hold"


OWN_WAIT4 = """schema = 1
name = "own-wait4"
unlisted = "EPERM"
[calls]
allow = ["read", "write", "exit_group"]
[[rule]]
id = "own-wait4"
call = "wait4"
{answer}
"""


@pytest.mark.parametrize("answer", ['verdict = "ENOSYS"', "return = 0", "return = 77"])
def test_no_child_is_made_up_where_the_policy_answers_wait4(answer: str, table: Path) -> None:
    table.with_name("own.toml").write_text(OWN_WAIT4.format(answer=answer))
    table.write_text(TABLE.replace('"ostoo"', '"own.toml"').format(expect="EPERM"))
    done = conform(str(table))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("name", ["own.toml", "./own.toml", "below/../own.toml"])
def test_a_policy_file_by_a_relative_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "own.toml").write_text(OWN_WAIT4.format(answer="return = 77"))
    done = conform(name, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.splitlines()[-1].endswith(" rows hold")


def test_a_table_that_does_not(table: Path) -> None:
    table.write_text(TABLE.format(expect="EPERM"))
    done = conform(str(table))
    assert done.returncode == 1
    assert (
        f"mine ({table}:4)\n    promised: forking is refused\n    expected EPERM, got ENOSYS" in done.stdout
    )


def test_formats(table: Path) -> None:
    table.write_text(TABLE.format(expect="EPERM"))
    [part] = json.loads(conform("--format", "json", str(table)).stdout)["parts"]
    assert part["rows"][0]["got"] == "ENOSYS"
    assert (
        len(list(ElementTree.fromstring(conform("--format", "junit", str(table)).stdout).iter("failure")))
        == 1
    )


@pytest.mark.parametrize("text", [TABLE.format(expect="EWHAT"), TABLE.replace("fork", "frok", 2), "row = ["])
def test_wrong_tables(text: str, table: Path) -> None:
    table.write_text(text)
    done = conform(str(table))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert str(table) in done.stderr


def test_a_row_that_the_prober_cannot_make(table: Path) -> None:
    table.write_text(
        TABLE.replace('"fork"', '"open"\nargs = [{{ text = "x", times = 60000 }}]').format(expect="ENOENT")
    )
    done = conform(str(table))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"sandboxctl: {table}:4: a probe's texts do not fit the prober's memory; "
        "allowed here: at most 24576 bytes in all its calls\n"
    )


@pytest.mark.parametrize(
    "words", [["no-such-policy"], ["/nowhere.toml"], ["--format", "markdown", "default"], []]
)
def test_wrong_use(words: list[str]) -> None:
    done = conform(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


def test_the_page_is_current() -> None:
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    wanted = document.markdown("ostoo", tables.load(tables.shipped("ostoo")))
    assert page == wanted, "run: sandboxctl conform --format markdown ostoo > docs/conformance.md"
