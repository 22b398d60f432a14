"""The pytest plugin as a user meets it: pytest on a project of its own, in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "example-pytest"
HANG = 120  # seconds after which pytest is taken to hang; nothing is measured by it


def pytest_in(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """pytest in a project, with nothing of this project's configuration.

    It makes temporary directories in a place of its own, since it would close those of this session to
    guests; and beside the project, where no guest writes.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    place = directory.with_name(f"{directory.name}-temporary")
    place.mkdir(exist_ok=True)
    environment["PYTEST_DEBUG_TEMPROOT"] = str(place)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", ".", *words],
        cwd=directory, capture_output=True, text=True, timeout=HANG, check=False,
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"},
    )  # fmt: skip


def counts(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """The last line's numbers: {"passed": 3, "failed": 1}."""
    return {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", done.stdout.splitlines()[-1])}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers -W error\n")
    return tmp_path


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example project, in a place of its own."""
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    tmp_path.chmod(0o755)
    return tmp_path


def test_the_plugin_comes_with_the_package() -> None:
    [found] = [one for one in entry_points(group="pytest11") if one.value == "sandbox.pytest_plugin"]
    assert found.name == "ostoo-sandbox"


def test_the_example_passes(example: Path) -> None:
    done = pytest_in(example, "-q", "-W", "error")
    assert done.returncode == 0, done.stdout
    rows = 5
    tests = (EXAMPLE / "test_counter.py").read_text().count("def test_")
    assert re.search(rf"\b{rows + tests} passed", done.stdout)


def test_a_single_row_can_be_chosen(example: Path) -> None:
    done = pytest_in(example, "-v", "nameless.conform.toml::no-name-arena")
    assert counts(done).keys() & {"passed", "failed"} == {"passed"}, done.stdout
    assert "nameless.conform.toml::no-name-arena PASSED" in done.stdout


BROKEN_ROWS = """
schema = 1
policy = "ostoo"
title = "What is not so"
[[row]]
id = "wrong-errno"
says = "pause is refused in another way"
call = "pause"
expect = "EPERM"
[[row]]
id = "holds"
call = "pause"
expect = "ENOSYS"
[[row]]
id = "wrong-rule"
call = "pause"
expect = "ENOSYS"
record = { rule = "pauses" }
"""


def test_a_row_that_does_not_hold_fails_in_words(project: Path) -> None:
    (project / "wrong.conform.toml").write_text(BROKEN_ROWS)
    done = pytest_in(project, "-rN")
    assert counts(done).keys() & {"passed", "failed"} == {"passed", "failed"}
    assert "wrong.conform.toml:5: row wrong-errno\npause is refused in another way\n" in done.stdout
    assert "expected EPERM, got ENOSYS" in done.stdout
    assert "rule is 'unlisted', expected 'pauses'" in done.stdout
    assert "row holds" not in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = 1\n", "policy is missing"),
        ("schema = ", "not valid TOML"),
        (BROKEN_ROWS.replace('"wrong-rule"', '"holds"'), "row holds stands in"),
    ],
    ids=["no policy", "no TOML", "the same id twice"],
)
def test_a_wrong_table_is_a_collection_error_of_one_line(project: Path, text: str, message: str) -> None:
    (project / "wrong.conform.toml").write_text(text)
    done = pytest_in(project)
    assert done.returncode == 2
    [line] = [line for line in done.stdout.splitlines() if message in line and not line.startswith("ERROR")]
    assert "wrong.conform.toml" in line
    assert "Traceback" not in done.stdout


def test_rows_that_cannot_be_run_say_why(project: Path) -> None:
    policy = 'schema = 1\nname = "dumb"\nunlisted = "ENOSYS"\n[calls]\nallow = ["read", "exit_group"]\n'
    (project / "dumb.toml").write_text(policy)
    (project / "dumb.conform.toml").write_text(BROKEN_ROWS.replace('"ostoo"', '"dumb.toml"'))
    done = pytest_in(project)
    assert counts(done).get("passed") is None
    assert "row holds cannot be run: cannot probe dumb: the prober needs write" in done.stdout
    assert "Traceback" not in done.stdout


TESTS = """
import pytest

pytestmark = pytest.mark.policy("compute")

def test_module_marker(sandboxed):
    assert sandboxed(["true"]).records[0].policy["name"] == "compute"

@pytest.mark.policy("default")
def test_nearest_marker(sandboxed):
    assert sandboxed(["true"]).records[0].policy["name"] == "default"

def test_argument(sandboxed):
    assert sandboxed(["true"], policy="workspace").records[0].policy["name"] == "workspace"

def test_no_such_program_is_an_outcome(sandboxed):
    assert sandboxed(["no-such-program-anywhere"]).outcome.status == "setup-error"

def test_output_and_every_call(sandboxed):
    run = sandboxed(["sh", "-c", "printf 'a\\\\377b'; echo oops >&2; exit 3"], audit_level="all")
    assert (run.stdout, run.out, run.err) == (b"a\\xffb", "a\\\\xffb", "oops\\n")
    assert run.outcome.exit_code == 3
    assert run.calls("write", "allow")
    assert not run.calls("write", "refuse")

def test_timeout(sandboxed):
    assert sandboxed(["sleep", "1000"], timeout=0.2).outcome.status == "limit"

def test_two_runs_have_two_logs(sandboxed):
    first, second = sandboxed(["true"]), sandboxed(["false"])
    assert first.log != second.log
    assert (first.records[-1].status, second.records[-1].status) == ("ok", "exited")

def test_the_log_is_not_where_the_program_writes(sandboxed, tmp_path):
    assert tmp_path not in sandboxed(["true"], policy="workspace").log.parents
"""


def test_markers_arguments_and_runs(project: Path) -> None:
    (project / "test_all.py").write_text(TESTS)
    done = pytest_in(project, "-q")
    assert re.search(rf"\b{TESTS.count('def test_')} passed", done.stdout), done.stdout


FAILING = """
import pytest

@pytest.mark.policy("compute")
def test_fails(sandboxed):
    run = sandboxed(["touch", "\\x1b[31mred"])
    assert run.outcome.status == "ok"

@pytest.mark.policy("compute", "default")
def test_marker(sandboxed):
    sandboxed(["true"])

@pytest.mark.policy(5)
def test_number(sandboxed):
    sandboxed(["true"])

@pytest.mark.policy(None)
def test_nothing(sandboxed):
    sandboxed(["true"])

@pytest.mark.policy("no-such-policy")
def test_policy(sandboxed):
    sandboxed(["true"])
"""


def test_a_failing_test_says_what_was_refused(project: Path) -> None:
    (project / "test_failing.py").write_text(FAILING)
    done = pytest_in(project, "-rN")
    assert re.search("-+ sandboxed touch -+\nexited: exit status 1\n", done.stdout), done.stdout
    assert re.search("openat.*red.* = EROFS, rule open-for-reading", done.stdout)
    assert "\x1b" not in done.stdout
    assert "takes one argument" in done.stdout
    for name in ("test_number", "test_nothing"):
        assert f'test_failing.py::{name}: @pytest.mark.policy("NAME or FILE") takes a text' in done.stdout
    assert "AttributeError" not in done.stdout
    assert "no-such-policy" in done.stdout


ASKS_WHAT_IS_LOADED = """
import sys

def pytest_sessionfinish():
    print("\\nloaded:", sorted(name for name in sys.modules if name.split(".")[0] == "sandbox"))
"""


def test_nothing_is_loaded_before_a_test_asks(project: Path) -> None:
    (project / "conftest.py").write_text(ASKS_WHAT_IS_LOADED)
    (project / "test_plain.py").write_text("def test_plain(): pass\n")
    done = pytest_in(project, "-q", "-s")
    assert "loaded: ['sandbox', 'sandbox.pytest_plugin']" in done.stdout
